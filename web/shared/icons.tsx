// Small drawings for buttons; a screen reader hears the button's label, not them.
import type { JSX } from "preact";

export const ACTIONS = "M4 5h16M4 12h10M4 19h7m8-6v6m-3-3h6";
export const HELP = "M9 9a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 1.9v.4m0 3v.1M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z";
export const CLOSE = "M6 6l12 12M18 6 6 18";
export const MENU = "M6 9l6 6 6-6";
export const LEFT = "M4 5h16v14H4zM10 5v14";
export const PROBLEM = "M12 3 2 20h20zM12 10v4m0 3v.1";
export const FOLDER = "M3 6h6l2 2h10v11H3z";
export const FILE = "M6 3h8l4 4v14H6zM14 3v4h4";
export const SEARCH = "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5";
export const STAR = "M12 3.5l2.6 5.3 5.9.8-4.3 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8L3.5 9.6l5.9-.8z";
export const DOWNLOAD = "M12 4v11m-5-5 5 5 5-5M4 20h16";
export const CHECK = "M4 12l5 5L20 6";
export const OF_THEME = {
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2m0 16v2M2 12h2m16 0h2M5 5l1.4 1.4m11.2 11.2L19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
};

export function Icon({ shape }: { shape: string }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={shape} />
    </svg>
  );
}

interface IconButtonProps {
  /** One of the drawings above. */
  readonly icon: string;
  /** What a screen reader says, and what the mouse shows unless `title` says more. */
  readonly label: string;
  readonly title?: string;
  readonly class?: string;
  /** Whether what the button opens is open. */
  readonly isOpen?: boolean;
  onClick(): void;
}

/** A button that has a drawing and no words. */
export function IconButton({ icon, label, title = label, class: own = "", isOpen, onClick }: IconButtonProps): JSX.Element {
  return (
    <button type="button" class={`quiet ${own}`} aria-label={label} title={title} aria-expanded={isOpen} onClick={onClick}>
      <Icon shape={icon} />
    </button>
  );
}
