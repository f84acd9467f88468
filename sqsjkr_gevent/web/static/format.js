/* Numbers and times for people. */

const whole = new Intl.NumberFormat();
const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const today = new Intl.DateTimeFormat(undefined, clock);
const otherDay = new Intl.DateTimeFormat(undefined, { ...clock, month: "short", day: "numeric" });
const minute = new Intl.DateTimeFormat(undefined, { ...clock, second: undefined });

/** A count with separators; a dash for null. */
export const count = (number) => (number == null ? "–" : whole.format(number));

/** A rate: "0.25", "4.2", "42". */
export const rate = (number) => String(+number.toFixed(number < 1 ? 2 : number < 9.95 ? 1 : 0));

/** Seconds as "12ms", "0.25s", "4.2s", "42s", "1m 5s", "2h 3m", "3d 4h"; a dash for null. */
export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds > 0 && seconds < 0.001) return "<1ms";
  if (seconds > 0 && seconds < 0.0995) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 9.95) return `${rate(Math.max(0, seconds))}s`;
  return age(Math.round(seconds));
}

/** The same in whole seconds, for values that tick. */
export function age(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor((s % 86400) / 3600)}h`;
}

/** Epoch seconds as local time, with the date if it is not today. */
export function time(epoch) {
  const date = new Date(epoch * 1000);
  return (date.toDateString() === new Date().toDateString() ? today : otherDay).format(date);
}

/** Epoch seconds as local hour and minute. */
export const hourAndMinute = (epoch) => minute.format(new Date(epoch * 1000));

/** Epoch seconds as exact UTC: "2026-11-24 12:03:11.250 UTC". */
export function utc(epoch) {
  return new Date(epoch * 1000).toISOString().replace("T", " ").replace("Z", " UTC");
}
