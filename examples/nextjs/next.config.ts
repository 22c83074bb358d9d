import type { NextConfig } from "next";

const config: NextConfig = {
  turbopack: { root: import.meta.dirname }, // not the repository that this folder is in
};

export default config;
