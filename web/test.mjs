// Bundles the tests and runs them: node test.mjs [NAME…]
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const WEB = dirname(fileURLToPath(import.meta.url));
const given = process.argv.slice(2);
const names = readdirSync(join(WEB, "test"))
  .filter((name) => name.endsWith(".test.ts") || name.endsWith(".test.tsx"))
  .filter((name) => !given.length || given.some((one) => name.startsWith(basename(one).split(".")[0])));
if (!names.length) {
  console.error("web/test: no such test");
  process.exit(1);
}
// Two runs at once do not see each other's files.
const folder = join(WEB, "build", `test-${process.pid}`);
mkdirSync(folder, { recursive: true });
try {
  // All in one process: to start Node anew for each file takes as long as the tests do.
  const bundle = join(folder, "tests.mjs");
  await esbuild.build({
    absWorkingDir: WEB,
    stdin: { contents: names.map((name) => `import "./test/${name}";`).join("\n"), resolveDir: WEB },
    outfile: bundle,
    bundle: true,
    packages: "external",
    define: { VERSION: '"0"' },
    jsx: "automatic",
    jsxImportSource: "preact",
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    logLevel: "warning",
    loader: { ".css": "empty" },
  });
  const done = spawnSync(process.execPath, ["--enable-source-maps", bundle], { stdio: "inherit", cwd: WEB });
  process.exitCode = done.status ?? 1;
} catch {
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
