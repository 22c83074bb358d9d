import { registerRoot } from "remotion";
import { NodeRoot } from "./node-root";

registerRoot(NodeRoot);
