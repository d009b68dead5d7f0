// What a person or an IT department asks of a page: its version, its code, what it may reach, and whose libraries it has.
import { Modal, openDialog } from "./dialogs.tsx";
import { formatHex } from "./hashing.ts";
import { copyText } from "./messages.ts";
import { isServed } from "./served.ts";
import { text } from "./text/en.ts";
import { visible } from "./visible.ts";

/** Returns the SHA-256 of the page's code in hex, which the browser held the code to before it ran; empty in a test. */
export function codeHash(): string {
  const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]')?.getAttribute("content") ?? "";
  const found = /script-src 'sha256-([^']+)'/.exec(policy)?.[1] ?? "";
  return formatHex(Uint8Array.from(atob(found), (byte) => byte.charCodeAt(0)));
}

export function openAbout(): void {
  const code = codeHash();
  openDialog(function About() {
    return (
      <Modal title={text.actions.about} class="about">
        <p>{text.about.ours}</p>
        <dl class="facts">
          <dt>{text.about.version}</dt>
          <dd>{VERSION}</dd>
          <dt>{text.about.address}</dt>
          <dd class="breaks">{visible(readablePath())}</dd>
          <dt>{text.about.code}</dt>
          <dd>
            <code class="breaks">{code}</code>{" "}
            <button type="button" onClick={() => copyText(code)}>
              {text.actions.copy}
            </button>
            <p class="muted">{text.about.codeHint}</p>
          </dd>
        </dl>
        <p>{isServed() ? text.about.offlineServed : text.about.offline}</p>
        <details>
          <summary>{text.about.licences}</summary>
          <pre tabIndex={0}>{document.getElementById("licences")?.textContent?.trim()}</pre>
        </details>
      </Modal>
    );
  });
}

/** Returns where the page was opened from, without what stands after the ? and the #. */
export function readablePath(): string {
  const path = location.protocol === "file:" ? location.pathname : location.origin + location.pathname;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
