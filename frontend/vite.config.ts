import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compressed } from "./compressed.ts";

// `npm run dev` serves the client with hot reload and passes the rest to a Gatehouse on its usual port
const SERVER = process.env.GATEHOUSE_URL ?? "http://127.0.0.1:8000";
// all but the client's own pages and what Vite itself serves: a new runnable needs no line here
const SERVED_THERE = "^/(?!$|[?]|threads/|transports|approvals|@|src/|node_modules/)";

export default defineConfig({
  plugins: [react(), compressed()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  build: {
    outDir: "../src/gatehouse/web/client", // into the Python package, whose wheel has it
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the policy allows no data: but for images
    modulePreload: { polyfill: false },
    manifest: true,
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { [SERVED_THERE]: { target: SERVER, ws: true, changeOrigin: false } } },
  test: {
    environment: "happy-dom",
    environmentOptions: { happyDOM: { url: "http://gatehouse.test/" } },
    include: ["tests/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/setup.ts"],
    coverage: {
      include: ["src/**"],
      exclude: ["src/api/schema.d.ts", "src/main.tsx"],
      reporter: ["text-summary"],
      // pages and most components are driven in Chromium (tests/e2e), which this does not count
      thresholds: { statements: 50, branches: 47, functions: 44, lines: 50 },
    },
  },
});
