import { registerRoot } from "remotion";
import { chosen, commonRoots } from "./roots";
import { zod41Roots } from "./zod41";

registerRoot(chosen({ ...commonRoots({}), ...zod41Roots }));
