import { registerRoot } from "remotion";
import { zodToJsonSchema } from "zod-to-json-schema";
import { chosen, commonRoots } from "./roots";

registerRoot(chosen(commonRoots({ toJsonSchema: zodToJsonSchema })));
