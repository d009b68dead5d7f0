// Numbers by the locale, dates always as ISO.

const numbers = new Intl.NumberFormat();
/** By the digits behind the point: to make one takes as long as to use it a hundred times. */
const sizes = [0, 1].map((digits) => new Intl.NumberFormat(undefined, { maximumFractionDigits: digits }));

export function formatNumber(value: number): string {
  return numbers.format(value);
}

const UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** Returns a number of bytes in a unit of thousands: "1.5 MB". */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${sizes[digits]!.format(value)} ${UNITS[unit] ?? ""}`;
}

/** Returns local date and time to the minute: "2025-11-30 09:05"; empty for what is no time. */
export function formatTime(time: number | Date): string {
  // The time that Greenwich has when its clocks show what ours do now.
  const local = new Date(Number(time) - new Date(time).getTimezoneOffset() * 60_000);
  return Number.isNaN(local.getTime()) ? "" : local.toISOString().slice(0, 16).replace("T", " ");
}

/** Returns the local date: "2025-11-30"; empty for what is no time. */
export function formatDate(time: number | Date): string {
  return formatTime(time).slice(0, 10);
}
