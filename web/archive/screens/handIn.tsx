/** Hand in to incoming: a drop zone, the check of the names, progress a file, and the receipt. */
import { useEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";
import { fromDrop } from "../../shared/files";
import { fromInput } from "../../shared/files/input";
import { person } from "../../shared/folderShell";
import { addProblem, copyText, formatNumber, formatSize, formatTime } from "../../shared/shell";
import { download } from "../../shared/save";
import { visible } from "../../shared/visible";
import {
  askWhere, cannotAsk, forget, incoming, isSending, look, plan, progress, received, start, stop, target, targetOf, toSend, withRightNames,
} from "../handIn";
import { formatReceipt, type Planned } from "../model/handIn";
import { text } from "../text";
import { handInText as words } from "../textHandIn";

/** The receipt has all; a page with more rows than these answers slowly. */
const MOST_ROWS = 1000;

export function HandIn(): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (incoming.value === null) void askWhere();
  }, []);
  const open = incoming.value !== null && incoming.value.length > 0 && !isSending.value;
  return (
    <div
      class="screen scrolls"
      data-takes-drops
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        if (open) void lookAtDrop(event);
      }}
    >
      <div class="screen-head">
        <h1>{words.title}</h1>
        {incoming.value !== null && incoming.value.length > 0 && (
          <label>
            {words.to}
            <select disabled={isSending.value || received.value.length > 0} value={target.value} onChange={(event) => (target.value = event.currentTarget.value)}>
              {incoming.value.map((one) => (
                <option key={one.url} value={one.url}>
                  {visible(one.name)}
                </option>
              ))}
            </select>
          </label>
        )}
        <input
          ref={(element) => {
            field.current = element;
            if (element) element.webkitdirectory = true;
          }}
          type="file"
          hidden
          onChange={(event) => {
            const given = [...(event.currentTarget.files ?? [])];
            event.currentTarget.value = "";
            if (given.length) void look(fromInput(given));
          }}
        />
        {open && (
          <button type="button" class={plan.value ? "" : "primary"} onClick={() => (plan.value ? forget() : field.current!.click())}>
            {plan.value ? words.another : words.choose}
          </button>
        )}
      </div>
      {plan.value ? <Planned /> : <Nothing />}
    </div>
  );
}

function Nothing(): JSX.Element {
  if (cannotAsk.value) return <p class="notice bad">{`${words.cannotAsk}: ${visible(cannotAsk.value)}`}</p>;
  if (incoming.value === null) return <p role="status">{words.asking}</p>;
  if (incoming.value.length === 0) return <p class="notice warn">{words.none}</p>;
  return (
    <div class="drop-zone">
      <p>{words.lead}</p>
    </div>
  );
}

function Planned(): JSX.Element {
  const { files, isListed } = plan.value!;
  const wrong = files.filter((file) => file.reason);
  const canCorrect = wrong.some((file) => file.corrected);
  const [done, all] = [received.value.length, toSend.value.length];
  const isBegun = progress.value.size > 0;
  if (!files.length) return <p class="notice warn">{words.empty}</p>;
  return (
    <>
      {wrong.length > 0 && (
        <div class="notice warn">
          <div>
            <p>{words.wrong(wrong.length, formatNumber(wrong.length))}</p>
            {canCorrect && (
              <p>
                <label>
                  <input type="checkbox" checked={withRightNames.value} disabled={isBegun} onChange={(event) => (withRightNames.value = event.currentTarget.checked)} />
                  {words.correct}
                </label>{" "}
                <span class="muted">{words.correctHint}</span>
              </p>
            )}
            {isListed && <p>{words.listed}</p>}
          </div>
        </div>
      )}
      <p class="buttons">
        {isSending.value ? (
          <button type="button" onClick={stop}>
            {words.stop}
          </button>
        ) : (
          done < all && (
            <button type="button" class="primary" onClick={() => void start()}>
              {isBegun ? words.goOn : all < files.length ? words.startOthers(formatNumber(all)) : words.start(formatNumber(all))}
            </button>
          )
        )}
        {done > 0 && !isSending.value && (
          <>
            <button type="button" onClick={() => copyText(receipt())}>
              {words.copy}
            </button>
            <button type="button" onClick={() => download("receipt.txt", receipt())}>
              {words.save}
            </button>
          </>
        )}
      </p>
      {isBegun && <progress aria-label={words.progress(formatNumber(done), formatNumber(all))} value={all ? done / all : 0} />}
      {isBegun && (
        <p class={done === all && !isSending.value ? "notice good" : ""}>
          {done === all && !isSending.value ? words.complete(formatNumber(done)) : words.progress(formatNumber(done), formatNumber(all))}
        </p>
      )}
      <table class="rows hand-in">
        <caption class="visually-hidden">{words.list}</caption>
        <thead>
          <tr>
            <th scope="col">{words.columns.file}</th>
            <th scope="col" class="number">{words.columns.size}</th>
            <th scope="col">{words.columns.state}</th>
            <th scope="col">{words.columns.hash}</th>
          </tr>
        </thead>
        <tbody>
          {files.slice(0, MOST_ROWS).map((file) => (
            <Row key={file.path} file={file} />
          ))}
        </tbody>
      </table>
      {files.length > MOST_ROWS && <p class="muted">{words.more(formatNumber(files.length - MOST_ROWS))}</p>}
    </>
  );
}

function Row({ file }: { file: Planned }): JSX.Element {
  const now = progress.value.get(file.path);
  const where = targetOf(file);
  const state = now?.state ?? (where ? "waiting" : "wrong");
  const size = now?.size ?? file.size;
  const look = now?.sha256 ? "good" : state === "refused" || state === "wrong" ? "bad" : "";
  return (
    <tr>
      <td class="breaks">
        {visible(file.path)}
        {file.reason && <span class="muted">{` ${visible(file.reason)}`}</span>}
        {file.corrected && <div class="good">{words.rightName(visible(file.corrected))}</div>}
      </td>
      <td class="number">{size !== null && formatSize(size)}</td>
      <td>
        <span class={`badge ${look}`}>{words.states[state]}</span>
        {now?.part !== undefined && <progress aria-label={visible(file.path)} value={now.part} />}
        {state === "refused" && <span class="muted breaks">{` ${visible(now?.said ?? "")}`}</span>}
      </td>
      <td class="mono breaks">{now?.sha256}</td>
    </tr>
  );
}

function receipt(): string {
  const to = incoming.value?.find((one) => one.url === target.value);
  const email = person.value;
  const head = [
    words.receipt(`${new URL(target.value).origin}/${to?.name ?? ""}/`),
    ...(email ? [words.by(email)] : []),
    words.at(formatTime(Date.now())),
    words.count(formatNumber(received.value.length), formatNumber(plan.value?.files.length ?? 0)),
  ];
  return formatReceipt(head, received.value);
}

async function lookAtDrop(event: DragEvent): Promise<void> {
  const dropped = await fromDrop(event);
  if (dropped) await look(dropped);
  else addProblem(text.title, text.errors.nothingDropped);
}
