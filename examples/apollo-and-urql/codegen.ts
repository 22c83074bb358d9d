import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema/schema.graphql",
  documents: "src/operations.graphql",
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        scalars: { DateTime: "string", BigInt: "number", JSON: "unknown" },
        strictScalars: true, // an unmapped scalar is an error, not `any`
        useTypeImports: true,
      },
    },
    "src/gql/possible-types.ts": { plugins: ["fragment-matcher"] },
    "src/gql/schema.json": { plugins: ["introspection"], config: { descriptions: false, minify: true } },
  },
};

export default config;
