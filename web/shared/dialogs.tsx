// What stands above the page until it is closed. The browser holds the focus in it and closes it with Esc.
import { signal } from "@preact/signals";
import type { ComponentChildren, ComponentType, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { CLOSE, IconButton } from "./icons.tsx";
import { text } from "./text/en.ts";
import { folderText } from "./text/folder.ts";

const open = signal<readonly ComponentType[]>([]);

/** Shows a component above the page; it must hold a {@link Modal}. Only the last one shown is in reach. */
export function openDialog(content: ComponentType): void {
  open.value = [...open.value, content];
}

/** Closes the dialog that was opened last; false where none is open. */
export function closeDialog(): boolean {
  const had = open.value.length > 0;
  open.value = open.value.slice(0, -1);
  return had;
}

export function isDialogOpen(): boolean {
  return open.value.length > 0;
}

export function Dialogs(): JSX.Element {
  return (
    <>
      {open.value.map((Content, n) => (
        <Content key={n} />
      ))}
    </>
  );
}

interface ModalProps {
  /** Its name, shown as its head unless `isBare`. */
  readonly title: string;
  readonly isBare?: boolean;
  readonly class?: string;
  readonly children: ComponentChildren;
  /** Called when it closes, however it does. */
  onClose?(): void;
}

/** A frame for what {@link openDialog} shows; what has `data-first` in it has the focus first. */
export function Modal({ title, isBare, class: own, children, onClose }: ModalProps): JSX.Element {
  const frame = useRef<HTMLDialogElement>(null);
  // At once: what is typed next is meant for the dialog.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = frame.current;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      dialog?.close();
      // The browser may have given the focus back already, to what is inside of a shadow.
      if (document.activeElement !== before && before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const close = () => {
    closeDialog();
    onClose?.();
  };
  return (
    <dialog
      ref={frame}
      class={`modal ${own ?? ""}`}
      aria-label={title}
      onCancel={(event) => {
        if (event.target !== frame.current) return; // a field for files has a cancel event, too
        event.preventDefault();
        close();
      }}
      onMouseDown={(event) => {
        if (event.target === frame.current) close(); // beside it
      }}
    >
      <div class="modal-content">
        {!isBare && (
          <header role="none">
            <h2>{title}</h2>
            <IconButton icon={CLOSE} label={text.actions.close} onClick={close} />
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}

/** Asks before something is done; gives whether it may be. */
export function askConfirm(title: string, question: string, label: string = folderText.ok): Promise<boolean> {
  return new Promise((answer) => {
    openDialog(function Confirm() {
      return (
        <Modal title={title} onClose={() => answer(false)}>
          <p class="question">{question}</p>
          <p class="buttons">
            <button type="button" onClick={() => (closeDialog(), answer(false))}>
              {folderText.cancel}
            </button>
            <button type="button" class="primary" data-first onClick={() => (closeDialog(), answer(true))}>
              {label}
            </button>
          </p>
        </Modal>
      );
    });
  });
}
