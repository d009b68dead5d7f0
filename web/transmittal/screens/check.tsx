/** What a transmittal that came is worth: itself, its signatures, its files. */
import type { JSX } from "preact";
import { formatSize } from "../../shared/format";
import { CHECK, FILE, Icon, PROBLEM } from "../../shared/icons";
import { visible } from "../../shared/visible";
import { stateOf, textOf } from "../../shared/transmittal/data";
import { countFindings, differs, isWrong, KINDS, type Finding, type JudgedPage, type Kind, type Report } from "../../shared/transmittal/delivery";
import type { Judgement } from "../../shared/transmittal/knownKeys";
import { canCheck, fingerprintOf } from "../../shared/transmittal/signatures";
import { askToAcknowledge } from "../acknowledging";
import { askForKey, askToKnow } from "../keys";
import { checkAgain, labelOf, openFiles, openPlace, pickFiles, pickPlace } from "../loading";
import { askToSign } from "../publishing";
import { revise } from "../revising";
import { choices, loaded, signingKey, type Loaded } from "../state";
import { text } from "../text";

const words = text.check;
const HOURS_OF_CLOCKS = 24 * 3_600_000;

export function Check(): JSX.Element {
  const opened = loaded.value;
  return (
    <div class="check">
      <h1 class="visually-hidden">{text.screens.check}</h1>
      {choices.value && <Choices />}
      {opened ? <Verdict opened={opened} /> : <DropHere />}
    </div>
  );
}

export async function openFolderToCheck(): Promise<void> {
  const place = await pickPlace();
  if (place) await openPlace(place);
}

function DropHere(): JSX.Element {
  return (
    <div class="drop-zone">
      <h2>{words.dropHead}</h2>
      <p>{words.drop}</p>
      <p class="buttons center">
        <button type="button" class="primary" onClick={() => void openFolderToCheck()}>
          {words.choose}
        </button>
        <button type="button" onClick={() => void pickFiles({ accept: ".html,.htm,.json" }).then(openFiles)}>
          {words.chooseHtml}
        </button>
      </p>
    </div>
  );
}

function Choices(): JSX.Element {
  const { pages, choose } = choices.value!;
  return (
    <section class="card">
      <h2>{words.severalHead}</h2>
      <ul class="choices">
        {pages.map((page) => (
          <li key={page.name}>
            <button type="button" onClick={() => choose(page)}>
              {visible(labelOf(page))}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

type Tone = "good" | "warn" | "bad" | "";

/** Returns the verdict in one sentence. Green is for what is complete, intact, and signed with a known key. */
function verdictOf(judged: JudgedPage, report: Report | null): readonly [Tone, keyof typeof words.verdicts] {
  if (!canCheck()) return ["warn", "cannotCheck"];
  if (stateOf(judged.page.transmittal) === "draft") return ["warn", "draft"];
  if (judged.check.intact === false) return ["bad", "changed"];
  if (judged.judgements.some((one) => one.verdict === "invalid")) return ["bad", "invalid"];
  if (report && differs(report)) return ["bad", "differs"];
  if (!report) return ["", "intactOnly"];
  if (judged.judgements.some((one) => one.verdict === "valid, known key")) return ["good", "good"];
  return judged.judgements.length ? ["warn", "goodUnknown"] : ["warn", "goodUnsigned"];
}

function Verdict({ opened }: { opened: Loaded }): JSX.Element {
  const { judged, report, page } = opened;
  const { payload } = page.transmittal;
  const [tone, said] = verdictOf(judged, report);
  const isDraft = stateOf(page.transmittal) === "draft";
  const isIntact = judged.check.intact === true;
  return (
    <>
      <header class="card verdict">
        <div class="grow">
          <p class="muted breaks">{visible(page.name)}</p>
          <h2 class="breaks">{visible(`${textOf(payload, "trackingNumber")} · ${textOf(payload, "subject") || textOf(payload, "title")}`)}</h2>
          <p class={`notice ${tone}`} role="status">
            <Icon shape={tone === "good" ? CHECK : tone === "bad" || tone === "warn" ? PROBLEM : FILE} />
            <b>{words.verdicts[said]}</b>
          </p>
          {!isDraft && canCheck() && <p class="muted breaks mono">{words.digestIs(judged.check.digest)}</p>}
        </div>
        <p class="buttons">
          {opened.place && (
            <button type="button" onClick={() => void checkAgain()}>
              {text.actions.checkAgain}
            </button>
          )}
          {signingKey.value ? (
            <button type="button" disabled={!isIntact} onClick={askToSign}>
              {text.actions.sign}
            </button>
          ) : (
            <button type="button" disabled={!isIntact} onClick={() => askForKey()}>
              {text.actions.openKey}
            </button>
          )}
          <button type="button" disabled={isDraft} onClick={revise}>
            {text.actions.revise}
          </button>
          <button type="button" class="primary" disabled={!report || isDraft || !canCheck()} onClick={askToAcknowledge}>
            {text.actions.acknowledge}
          </button>
        </p>
      </header>
      {!isDraft && canCheck() && (
        <section class="card" aria-labelledby="signatures-head">
          <h2 id="signatures-head">{words.signatureHead}</h2>
          {judged.judgements.length === 0 && <p class="muted">{words.noSignature}</p>}
          {judged.judgements.map((one, at) => (
            <SignatureRow key={at} judgement={one} />
          ))}
        </section>
      )}
      {report ? <Files report={report} /> : <DropFolder />}
      {report && report.acknowledgements.length > 0 && (
        <section class="card" aria-labelledby="acknowledged-head">
          <h2 id="acknowledged-head">{words.acknowledgements}</h2>
          <ul>
            {report.acknowledgements.map((one) => (
              <li key={one.page.name}>
                {visible(words.acknowledged(textOf(one.page.transmittal.payload, "from"), textOf(one.page.transmittal.payload, "date")))}{" "}
                <span class={`badge ${isWrong(one) ? "bad" : ""}`}>{isWrong(one) ? words.wrong : words.notWrong}</span>{" "}
                {one.judgements.map((judgement, at) => (
                  <span key={at} class={`badge ${toneOf(judgement)}`}>
                    {words.verdict[judgement.verdict]}
                  </span>
                ))}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function DropFolder(): JSX.Element {
  return (
    <div class="drop-zone">
      <p>{words.needsFolder}</p>
      <button type="button" onClick={() => void openFolderToCheck()}>
        {words.choose}
      </button>
    </div>
  );
}

function toneOf({ verdict }: Judgement): Tone {
  return verdict === "valid, known key" ? "good" : verdict === "invalid" ? "bad" : "warn";
}

function SignatureRow({ judgement }: { judgement: Judgement }): JSX.Element {
  const { signature, verdict, name, reason } = judgement;
  const isInFuture = Date.parse(signature.signedAt) > Date.now() + HOURS_OF_CLOCKS;
  return (
    <div class="signature">
      <p>
        <span class={`badge ${toneOf(judgement)}`}>{words.verdict[verdict]}</span> <b>{visible(signature.label || words.signatureHead)}</b>{" "}
        <span class="muted">{visible(signature.signedAt)}</span>
      </p>
      {name && verdict === "valid, known key" && <p>{words.knownAs(visible(name))}</p>}
      {verdict !== "valid, known key" && reason && <p class={verdict === "invalid" ? "bad" : ""}>{visible(verdict === "invalid" || name ? reason : words.compareFingerprint)}</p>}
      {signature.valid && !signature.attested && <p class="muted">{words.notAttested}</p>}
      {isInFuture && <p class="warn">{words.inFuture}</p>}
      {signature.thumbprint && (
        <p>
          {words.fingerprint}: <code title={signature.thumbprint}>{fingerprintOf(signature.thumbprint)}</code>{" "}
          {signature.valid && !name && (
            <button type="button" onClick={() => askToKnow(signature)}>
              {words.addKnown}
            </button>
          )}
        </p>
      )}
    </div>
  );
}

function Files({ report }: { report: Report }): JSX.Element {
  const counts = countFindings(report.findings);
  const wrongInList = report.listed.filter((one) => one.kind !== "verified");
  return (
    <section class="card" aria-labelledby="checked-head">
      <h2 id="checked-head">{words.filesHead}</h2>
      <ul class="counts">
        {KINDS.filter((kind) => kind === "verified" || counts.get(kind)).map((kind) => (
          <li key={kind} title={words.kindHints[kind]}>
            <b class={kind === "verified" ? "good" : "bad"}>{(counts.get(kind) ?? 0).toLocaleString("en")}</b> {words.kinds[kind]}
          </li>
        ))}
      </ul>
      <Findings findings={report.findings.filter((one) => one.kind !== "verified")} label={words.filesHead} />
      {(counts.get("verified") ?? 0) > 0 && (
        <details>
          <summary>{words.showVerified(counts.get("verified") ?? 0)}</summary>
          <ul class="plain">
            {report.findings
              .filter((one) => one.kind === "verified")
              .map((one) => (
                <li key={one.path}>{visible(one.path)}</li>
              ))}
          </ul>
        </details>
      )}
      {report.listed.length > 0 && (
        <>
          <h3>{words.listed}</h3>
          {wrongInList.length ? <Findings findings={wrongInList} label={words.listed} /> : <p class="muted">{words.listedGood(report.listed.length)}</p>}
        </>
      )}
    </section>
  );
}

function Findings({ findings, label }: { findings: readonly Finding[]; label: string }): JSX.Element | null {
  if (!findings.length) return null;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={label}>
      <table class="rows findings">
        <thead>
          <tr>
            {words.heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {findings.map((one) => (
            <tr key={`${one.kind} ${one.path}`}>
              <td>
                <span class={`badge ${isMild(one.kind) ? "warn" : "bad"}`}>{words.kinds[one.kind]}</span>
              </td>
              <td class="breaks">{visible(one.path)}</td>
              <td class="breaks">
                <Detail finding={one} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function isMild(kind: Kind): boolean {
  return kind === "moved" || kind === "renamed" || kind === "extra";
}

function Detail({ finding }: { finding: Finding }): JSX.Element {
  const { kind, detail, wanted, found } = finding;
  if (kind === "moved" || kind === "renamed") return <>{words.nowAt(visible(detail))}</>;
  if (!wanted || !found) return <>{visible(detail) || words.kindHints[kind]}</>;
  const sizes = wanted.size === found.size ? words.otherBytes : words.sizes(formatSize(wanted.size), formatSize(found.size));
  return (
    <>
      {wanted.size ? `${sizes}; ` : ""}
      {words.hashes(wanted.sha256.slice(0, 12), found.sha256.slice(0, 12))}
    </>
  );
}
