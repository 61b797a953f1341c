// Everything is relative, so that the page works below whatever path a proxy puts it, and nothing
// is inlined, so that a strict Content-Security-Policy holds.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    target: "es2021",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
