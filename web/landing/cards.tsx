// Who asks, the pages themselves, what the browser allows, and whether a page is the published one.
import { signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { reasonOf } from "../shared/files/place.ts";
import { sha256OfBytes } from "../shared/hashing.ts";
import { codeHash } from "../shared/about.tsx";
import { DOWNLOAD, Icon } from "../shared/icons.tsx";
import { copyText, formatSize, PAGES, status } from "../shared/shell.tsx";
import { text as shared } from "../shared/text/en.ts";
import { visible } from "../shared/visible.ts";
import { Section } from "./section.tsx";
import { tools, who } from "./server.ts";
import { text } from "./text.ts";

export function Who(): JSX.Element | null {
  const found = who.value;
  if (!found) return null;
  const via = Object.hasOwn(text.who.via, found.via) ? text.who.via[found.via as keyof typeof text.who.via] : "";
  return (
    <Section id="who" title={text.who.title}>
      <div class="card">
        <p>
          {found.email === null ? text.who.anonymous : text.who.email(visible(found.email))}
          {via && found.email !== null && <span class="muted">{` (${via})`}</span>}
          {"."}
        </p>
        {found.isAdmin && <p>{text.who.admin}</p>}
        <a href="/.profile/">{text.who.profile}</a>
      </div>
    </Section>
  );
}

/** The pages as this server has them. */
export function ServedTools(): JSX.Element | null {
  if (tools.value.length === 0) return null;
  return (
    <Section id="tools" title={text.tools.title}>
      <p class="muted">{text.tools.hintServed}</p>
      <ul class="card flush list tools">
        {tools.value.map((tool) => {
          const id = PAGES.find((one) => one === tool.name);
          const name = id ? shared.pages[id] : tool.name;
          return (
            <li key={tool.name}>
              <div class="names">
                <a href={tool.url}>{name}</a>
                <span class="muted">{id && shared.pageJobs[id]}</span>
                <button type="button" class="quiet hash mono" aria-label={`${tool.sha256.slice(0, 16)}… ${text.tools.copyHash}: ${name}`} title={`${text.tools.copyHash}: ${tool.sha256}`} onClick={() => copyText(tool.sha256)}>
                  {`${tool.sha256.slice(0, 16)}…`}
                </button>
              </div>
              <a class="button" href={`${tool.url}?download`} download={`${tool.name}.html`} aria-label={text.tools.download(name)} title={`${text.tools.download(name)}: ${formatSize(tool.size)}`}>
                <Icon shape={DOWNLOAD} />
              </a>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}

/** The pages beside this one. */
export function SiblingTools(): JSX.Element {
  return (
    <section class="siblings" aria-label={text.tools.title}>
      {PAGES.map((id, n) =>
        id === "landing" ? null : (
          <a key={id} class="card" href={`./${id}.html`}>
            <b>{shared.pages[id]}</b>
            <span class="muted">{shared.pageJobs[id]}</span>
            <kbd>{`Alt ${n + 1}`}</kbd>
          </a>
        ),
      )}
    </section>
  );
}

/** What works in this window; it asks for nothing, so no browser asks the person either. */
export function abilities(): Record<keyof typeof text.here.checks, boolean> {
  const canPick = "showDirectoryPicker" in window;
  return {
    pick: canPick,
    drop: "getAsFileSystemHandle" in DataTransferItem.prototype,
    write: canPick && "createWritable" in FileSystemFileHandle.prototype,
    crypto: isSecureContext && "subtle" in crypto,
    clipboard: isSecureContext && "clipboard" in navigator,
    storage: canStore(),
  };
}

function canStore(): boolean {
  try {
    localStorage.getItem("zddc.theme");
    return true;
  } catch {
    return false;
  }
}

export function Here(): JSX.Element {
  const found = abilities();
  return (
    <Section id="here" title={text.here.title}>
      <p class="muted">{text.here.hint}</p>
      <ul class="card flush list checks">
        {(Object.keys(text.here.checks) as (keyof typeof found)[]).map((name) => {
          const [what, otherwise] = text.here.checks[name];
          const works = found[name];
          return (
            <li key={name} class={works ? "works" : ""}>
              <span class={`badge ${works ? "good" : "warn"}`}>{works ? text.here.yes : text.here.no}</span>
              <div class="names">
                <span>{what}</span>
                <span class="muted">{otherwise}</span>
              </div>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}

export function Limits(): JSX.Element {
  return (
    <Section id="limits" title={text.limits.title}>
      <ul class="card limits">
        {text.limits.list.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </Section>
  );
}

interface Checked {
  readonly name: string;
  sha256: string;
  problem: string;
}

const LARGEST_PAGE = 64 * 1024 * 1024;
const checked = signal<readonly Checked[]>([]);

/** Opens the dialog in which a person chooses pages to check. */
export function choosePages(): void {
  document.getElementById("verify-file")?.click();
}

async function check(files: readonly File[]): Promise<void> {
  const found: Checked[] = [];
  for (const file of files) {
    const one: Checked = { name: file.name, sha256: "", problem: "" };
    found.push(one);
    try {
      if (file.size > LARGEST_PAGE) throw new Error(text.verify.tooLarge);
      one.sha256 = await sha256OfBytes(await file.arrayBuffer());
    } catch (fault) {
      one.problem = text.verify.failed(reasonOf(fault));
    }
  }
  checked.value = found;
  status.value = text.verify.done(found.length);
}

function verdictOf(one: Checked): JSX.Element | null {
  if (one.problem) return <span class="badge bad">{visible(one.problem)}</span>;
  if (tools.value.length === 0) return null;
  const same = tools.value.find((tool) => tool.sha256 === one.sha256);
  return <span class={`badge ${same ? "good" : "warn"}`}>{same ? text.verify.same : text.verify.other}</span>;
}

export function Verify(): JSX.Element {
  const isOver = useSignal(false);
  return (
    <Section id="verify" title={text.verify.title}>
      <div
        class={`drop-zone ${isOver.value ? "over" : ""}`}
        id="verify-zone"
        onDragOver={(event) => {
          event.preventDefault();
          isOver.value = true;
        }}
        onDragLeave={() => (isOver.value = false)}
        onDrop={(event) => {
          event.preventDefault();
          isOver.value = false;
          void check([...(event.dataTransfer?.files ?? [])]);
        }}
      >
        <p class="muted">{text.verify.hint}</p>
        <input
          id="verify-file"
          hidden
          type="file"
          multiple
          accept=".html"
          onChange={(event) => void check([...(event.currentTarget.files ?? [])])}
        />
        <button type="button" onClick={choosePages}>
          {text.verify.choose}
        </button>
      </div>
      {checked.value.length > 0 && (
        <table class="rows checked">
          <thead>
            <tr>
              <th scope="col">{text.verify.columns.file}</th>
              <th scope="col">{text.verify.columns.hash}</th>
            </tr>
          </thead>
          <tbody>
            {checked.value.map((one, n) => (
              <tr key={n}>
                <td class="breaks">{visible(one.name)}</td>
                <td>
                  <code class="breaks">{one.sha256}</code> {verdictOf(one)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="muted own">
        {`${shared.about.version} ${VERSION} · ${shared.about.code} `}
        <code class="breaks">{codeHash()}</code>
      </p>
    </Section>
  );
}

