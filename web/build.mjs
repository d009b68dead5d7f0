// Builds each page into one HTML file: node build.mjs [--out FOLDER] [PAGE…]
//
// Two passes: the libraries of a page are minified into one part, and our own code stays readable in another. Equal
// sources give equal bytes, in whichever folder and on whichever day they are built.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { zlibSync } from "fflate";

const WEB = dirname(fileURLToPath(import.meta.url));

// What the policy of a page allows beyond its own script and style.
const PAGES = {
  archive: { connect: true, wasm: true },
  landing: { connect: true },
  classifier: {},
  transmittal: { connect: true, wasm: true },
  mdedit: { connect: true },
  // What a published transmittal is made of; the transmittal page has it in itself, packed.
  viewer: { wasm: true },
};
const PACKED_IN = { transmittal: "viewer" };

// Addresses that a page may have in it: names of XML languages, which nothing is ever fetched from. In our own text
// every other address is an error; in the libraries only what would fetch is, and the policy forbids that as well.
const NAMES_ONLY = ["http://www.w3.org/"];

const TARGET = ["chrome123", "firefox128", "safari17.5"];

/** How the sources are compiled, but for how elements are written. */
const { jsx: _, jsxImportSource: __, ...COMPILED } = JSON.parse(readFileSync(join(WEB, "tsconfig.json"), "utf8")).compilerOptions;

/** What elements are made with; a page without any does not have it. */
const ELEMENTS = join(WEB, "shared", "elements.ts");

const sha256 = (text, encoding) => createHash("sha256").update(text).digest(encoding);
const isOfALibrary = (path) => !/^(\.|\/|[A-Za-z]:)/.test(path);

/** Returns where a source lies below web: it is written into the page as a comment, and must not name a machine's folder. */
const pathBelow = (folder, path) => relative(WEB, join(folder, path.replace(/\?\w+$/, ""))).split("\\").join("/");

/** The page that the page in hand has in itself, packed. */
let packed = "";

/** Libraries in the scripts that the page in hand has as texts. */
const inBundles = new Set();

/** Returns the libraries that have code in what was built. */
function librariesIn(metafile) {
  const found = new Set();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(path)?.[1];
      if (name && bytesInOutput > 0) found.add(name);
    }
  }
  return found;
}

/** `import code from "./worker.ts?bundle"` gives the text of a script that has all that it needs. */
const bundles = {
  name: "bundles",
  setup(build) {
    build.onResolve({ filter: /\?bundle$/ }, ({ path, resolveDir }) => ({
      path: pathBelow(resolveDir, path),
      namespace: "bundle",
    }));
    build.onLoad({ filter: /.*/, namespace: "bundle" }, async ({ path }) => {
      const made = await esbuild.build({
        ...common(),
        entryPoints: [join(WEB, path)],
        format: "iife",
        minify: true,
        metafile: true,
      });
      for (const name of librariesIn(made.metafile)) inBundles.add(name);
      return { contents: made.outputFiles[0].text, loader: "text" };
    });
    build.onResolve({ filter: /\?text$/ }, ({ path, resolveDir }) => ({
      path: pathBelow(resolveDir, path),
      namespace: "text",
    }));
    build.onLoad({ filter: /.*/, namespace: "text" }, ({ path }) => ({
      contents: readFileSync(join(WEB, path), "utf8"),
      loader: "text",
    }));
  },
};

/**
 * Leaves the libraries out; with the names that are taken from each, they come from the constant that has them all. The
 * names that some source asks for, and nothing in the page uses, are there as well.
 */
const withoutLibraries = (taken, asked) => ({
  name: "without-libraries",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path, kind, namespace }) => {
      if (path === ELEMENTS) return { path, sideEffects: false };
      const isOne = kind !== "entry-point" && namespace !== "bundle" && isOfALibrary(path) && !/\?(bundle|text)$/.test(path);
      if (!isOne) return undefined;
      return { path, sideEffects: false, ...(taken ? { namespace: "library" } : { external: true }) };
    });
    build.onLoad({ filter: /.*/, namespace: "library" }, ({ path }) => {
      const names = [...(taken.get(path) ?? [])].sort();
      const exported = names.map((name) => `${nameOf(path, name)} as ${name}`);
      for (const name of asked.get(path) ?? []) if (!names.includes(name)) exported.push(`unused as ${name}`);
      const values = names.length ? `const { ${names.map((name) => nameOf(path, name)).join(", ")} } = LIBRARIES;` : "";
      return { contents: `${values}\nconst unused = undefined;\nexport { ${exported.join(", ")} };\n` };
    });
  },
});

function common() {
  return {
    absWorkingDir: WEB,
    bundle: true,
    charset: "utf8",
    define: { VERSION: JSON.stringify(version()), VIEWER: JSON.stringify(packed) },
    legalComments: "none",
    logLevel: "warning",
    platform: "browser",
    plugins: [bundles],
    target: TARGET,
    write: false,
    outdir: join(WEB, "build"),
  };
}

function version() {
  const found = /^version = "([^"]+)"/m.exec(readFileSync(join(WEB, "..", "pyproject.toml"), "utf8"));
  if (!found) throw new Error("pyproject.toml: has no version");
  return found[1];
}

/** Our own code and style, with the libraries left out, and the names that it takes from each of them. */
async function buildOwn(page) {
  const asked = namesTaken(page, (await bundleOwn(page, withoutLibraries(), false)).script);
  const taken = namesTaken(page, (await bundleOwn(page, withoutLibraries())).script);
  const { script, style } = await bundleOwn(page, withoutLibraries(taken, asked));
  const left = /^import .*$/m.exec(script);
  if (left) throw new Error(`${page}: cannot read "${left[0]}"`);
  const small = await esbuild.transform(style, { loader: "css", minify: true, charset: "utf8", target: TARGET });
  return { script: await tighten(page, script.replace(/\nexport \{[^}]*\};\n$/, "\n")), style: small.code.trim(), taken };
}

async function bundleOwn(page, libraries, treeShaking = true) {
  const made = await esbuild.build({
    ...common(),
    entryPoints: [join(WEB, page, "main.tsx")],
    format: "esm",
    plugins: [libraries, bundles],
    treeShaking,
    // So elements are shorter and easier to read than with the runtime that tools have by themselves.
    inject: [ELEMENTS],
    tsconfigRaw: { compilerOptions: { ...COMPILED, jsx: "react", jsxFactory: "h", jsxFragmentFactory: "Fragment" } },
    jsxSideEffects: true, // else each element has a comment, for who minifies
  });
  const text = (ending) => made.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
  return { script: text(".js"), style: text(".css") };
}

/** Returns of each library the names that a script takes from it. */
function namesTaken(page, script) {
  const taken = new Map();
  for (const [line, byDefault, namespace, names, library] of script.matchAll(
    /^import (?:(\w+)(?:, )?)?(?:\* as (\w+)|\{([^}]*)\})? ?(?:from )?"([^"]+)";\n/gm,
  )) {
    if (namespace) throw new Error(`${page}: "${line.trim()}": import names, not everything`);
    const known = taken.get(library) ?? new Set();
    taken.set(library, known);
    for (const one of (names ?? "").split(",")) if (one.trim()) known.add(one.trim().split(" as ")[0]);
    if (byDefault) known.add("default");
  }
  return taken;
}

/**
 * Our own code with one tab for each step to the right, in lines that one can read, and without the notes on members, which are left of all that
 * the sources say: a thirtieth of a page. What a browser reads of it has to be the same.
 */
async function tighten(page, script) {
  const tight = script
    .replace(/^ *\/\*\*(?:(?!\*\/)[^])*\*\/\n/gm, "")
    .replace(/^(?: {2})+/gm, (blanks) => "\t".repeat(blanks.length / 2))
    .replace(/^.{140,}$/gm, breakElements);
  const minified = (text) => esbuild.transform(text, { minify: true, charset: "utf8", target: TARGET });
  const [one, other] = await Promise.all([minified(script), minified(tight)]);
  if (one.code !== other.code) throw new Error(`${page}: a text of several lines would change; write it with \\n`);
  return tight;
}

/** A long line with each element that is in another one in a line of its own. */
function breakElements(line) {
  const depthOf = (text) => text.split("(").length - text.split(")").length;
  const [start] = /^\t*/.exec(line);
  return line.replace(/, (?=h\()/g, (_, at) => `,\n${start}${"\t".repeat(Math.max(1, depthOf(line.slice(0, at))))}`);
}

/** What a name of a library is called in the page, where no two may be the same; what it gives by default has its own. */
const nameOf = (library, name) => (name === "default" ? library.replace(/\W+/g, "_").replace(/^_/, "") : name);

/**
 * What markdown-it asks for, and no page has a use for: no page looks for addresses in a text. Of the names of hosts a
 * browser makes what punycode would, and of letters it knows which are punctuation.
 */
const REPLACED = {
  "linkify-it": "export class LinkifyIt {}",
  "punycode.js": "const same = (name) => name; export default { toASCII: same, toUnicode: same };",
  "uc.micro": "export const P = /\\p{P}/u, S = /\\p{S}/u;",
};

const replacedLibraries = {
  name: "replaced-libraries",
  setup(build) {
    build.onResolve({ filter: /^(?:linkify-it|punycode\.js|uc\.micro)$/ }, ({ path }) => ({ path, namespace: "replaced", sideEffects: false }));
    build.onLoad({ filter: /.*/, namespace: "replaced" }, ({ path }) => ({ contents: REPLACED[path] }));
  },
};

/** The libraries of a page, with nothing in them that the page does not use, and the licences of all of them. */
async function buildLibraries(taken) {
  const lines = [...taken].sort().flatMap(([library, names]) =>
    [...names].sort().map((name) => `export { ${name} as ${nameOf(library, name)} } from ${JSON.stringify(library)};`),
  );
  const made = await esbuild.build({
    ...common(),
    stdin: { contents: lines.join("\n"), resolveDir: WEB, sourcefile: "libraries.js" },
    plugins: [replacedLibraries, bundles],
    format: "esm",
    minify: true,
    metafile: true,
    outdir: undefined,
  });
  const used = new Set([...librariesIn(made.metafile), ...inBundles]);
  const [names] = /export\{[^{}]*\};?\s*$/.exec(made.outputFiles[0].text) ?? [""];
  const pairs = names.replace(/^export\{|\};?\s*$/g, "").replace(/([\w$]+) as ([\w$]+)/g, "$2:$1");
  const text = made.outputFiles[0].text.slice(0, names ? -names.length : undefined);
  // In a text or a pattern "\!" is "!", and a browser does not take it for the start of a comment.
  const script = `const LIBRARIES=(()=>{${text.trim()}return{${pairs}}})();`.replaceAll("<!--", "<\\!--");
  return { script, used: [...used].sort() };
}

/** The licences of libraries as one text: each wording once, below the copyright lines of those that have it. */
function licencesOf(used) {
  const byWording = new Map();
  for (const name of used) {
    const folder = join(WEB, "node_modules", name);
    const { version: its, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENSE-MIT.txt", "license", "LICENCE"].find((one) =>
      existsSync(join(folder, one)),
    );
    if (!file) throw new Error(`${name}: has no licence file`);
    let text = readFileSync(join(folder, file), "utf8").replace(/\r/g, "");
    // Of two licences to choose from, the Apache licence is the one; ours is the same.
    const isApache = license.includes("Apache-2.0");
    const copyright = [...text.matchAll(/^.*\bCopyright\b.*\d{4}.*$/gim)].map((one) => one[0].trim());
    text = isApache
      ? "Apache License, Version 2.0"
      : text.replace(/^.*\bCopyright\b.*\d{4}.*$/gim, "").replace(/\s+/g, " ").replace(/^.*?(?=Permission|Redistribution)/, "");
    const heads = byWording.get(text) ?? [];
    heads.push(`${name} ${its} (${isApache ? "Apache-2.0" : license})${copyright.map((one) => `\n  ${one}`).join("")}`);
    byWording.set(text, heads);
  }
  return [...byWording].map(([wording, heads]) => `${heads.join("\n")}\n\n${wording.trim()}\n`).join("\n");
}

/** A library packs, since what the packer of a Node writes depends on the machine. */
function pack(html) {
  return Buffer.from(zlibSync(Buffer.from(html), { level: 9 })).toString("base64");
}

function policyOf(page, script, style) {
  const { connect, wasm } = PAGES[page];
  return [
    "default-src 'none'",
    `script-src 'sha256-${sha256(script, "base64")}'${wasm ? " 'wasm-unsafe-eval'" : ""}`,
    `style-src 'sha256-${sha256(style, "base64")}'`,
    "img-src data: blob:",
    "frame-src blob:",
    "worker-src blob:",
    `connect-src ${connect ? "'self'" : "'none'"}`,
    "form-action 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types zddc-worker",
  ].join("; ");
}

/** A text of ours or of a library may not end the element that it stands in. */
function checkEnds(page, what, text, element) {
  const found = new RegExp(`</${element}|<!--`, "i").exec(text);
  if (found) throw new Error(`${page}: ${what} has ${found[0]} in it, which a browser takes for markup`);
}

function checkAddresses(page, what, text) {
  for (const [address] of text.matchAll(/\b(?:https?|wss?):\/\/[^\s"'`<>)\\]*/g)) {
    const isBare = /^\w+:\/\/(\$\{|$)/.test(address); // put together from what a person wrote
    if (!isBare && !NAMES_ONLY.some((one) => address.startsWith(one)))
      throw new Error(`${page}: ${what} has the address ${address}; a page fetches nothing from elsewhere`);
  }
}

const escapeHtml = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='3'" +
  " fill='%231d5fa8'/%3E%3Cpath d='M4 4h8v2l-5 4h5v2H4v-2l5-4H4z' fill='%23fff'/%3E%3C/svg%3E";

export async function buildPage(page) {
  packed = PACKED_IN[page] ? pack(await buildPage(PACKED_IN[page])) : "";
  inBundles.clear();
  const own = await buildOwn(page);
  const libraries = await buildLibraries(own.taken);
  checkAddresses(page, "our code", own.script);
  checkAddresses(page, "the style", own.style);
  // Function expressions keep each part's names to itself.
  const script =
    `"use strict";\n// Libraries, minified; their licences stand at the end of this file.\n${libraries.script.trim()}\n\n` +
    `// The page itself, readable.\n(() => {\n${own.script.trim()}\n})();\n`;
  const licences = licencesOf(libraries.used);
  checkEnds(page, "the script", script, "script");
  checkEnds(page, "the licences", licences, "script");
  checkEnds(page, "the style", own.style, "style");
  const { title, noscript, body = '<div id="app"></div>' } = JSON.parse(readFileSync(join(WEB, page, "page.json"), "utf8"));
  const head =
    `<!doctype html>\n<html lang="en" data-page="${page}">\n<head>\n` +
    `<meta http-equiv="Content-Security-Policy" content="${policyOf(page, script, own.style)}">\n` +
    `<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n` +
    `<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n` +
    `<meta name="generator" content="zddc ${version()}">\n`;
  if (head.indexOf('charset="utf-8"') > 1000) throw new Error(`${page}: the charset stands too far from the start`);
  return (
    `${head}<title>${escapeHtml(title)}</title>\n<link rel="icon" href="${ICON}">\n<style>${own.style}</style>\n</head>\n` +
    `<body>\n${body}\n<noscript><p>${escapeHtml(noscript)}</p></noscript>\n` +
    `<script type="text/plain" id="licences">\n${licences}</script>\n<script>${script}</script>\n</body>\n</html>\n`
  );
}

async function main(given) {
  let out = join(WEB, "..", "src", "zddc", "tools");
  if (given[0] === "--out") out = resolve(given.splice(0, 2)[1] ?? "");
  const unknown = given.find((page) => !(page in PAGES));
  if (unknown) throw new Error(`${unknown}: no page; the pages are ${Object.keys(PAGES).join(", ")}`);
  mkdirSync(out, { recursive: true });
  for (const page of given.length ? given : Object.keys(PAGES)) {
    if (!existsSync(join(WEB, page, "main.tsx"))) {
      if (given.length) throw new Error(`${page}: web/${page}/main.tsx is not there`);
      continue;
    }
    const html = await buildPage(page);
    writeFileSync(join(out, `${page}.html`), html);
    console.log(`${page}.html\t${Buffer.byteLength(html)} bytes\t${sha256(html, "hex")}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    console.error(error.errors ? "the build failed" : `${error.message}`);
    process.exitCode = 1;
  }
}
