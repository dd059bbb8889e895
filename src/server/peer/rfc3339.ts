/** Wall-clock times as Go's JSON has them. Calendar arithmetic by hand: the core has no Date. */

const dayMs = 86_400_000;
/** Days of 1970-01-01, counted from March of year 0. */
const epochDays = 719_468;
const daysOf400Years = 146_097;

/** Milliseconds since the epoch; null for what is no such text. */
export function parseRfc3339(text: string): number | null {
  const p = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(Z|([+-])(\d\d):(\d\d))$/.exec(
    text,
  );
  if (p === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = p
    .slice(1, 7)
    .map(Number);
  const y = month > 2 ? year : year - 1; // years begin in March, so that leap days end them
  const leapDays = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const days = 365 * y + leapDays + dayOfYear - epochDays;
  const zone = (p[9] === "-" ? -1 : 1) * (Number(p[10] ?? 0) * 60 + Number(p[11] ?? 0));
  const minutes = days * 1_440 + hour * 60 + minute - zone;
  return minutes * 60_000 + second * 1_000 + Number(p[7] ?? 0) * 1_000;
}

/** In UTC, to the millisecond, without zeros at the end of the fraction. */
export function formatRfc3339(wallMs: number): string {
  const ms = Math.floor(wallMs);
  const days = Math.floor(ms / dayMs);
  const rest = ms - days * dayMs;
  const [year, month, day] = civil(days);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const time = `${two(rest / 3_600_000)}:${two((rest / 60_000) % 60)}:${two((rest / 1_000) % 60)}`;
  const fraction = rest % 1_000;
  const dot = fraction === 0 ? "" : `.${String(fraction).padStart(3, "0").replace(/0+$/, "")}`;
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${time}${dot}Z`;
}

function civil(daysSinceEpoch: number): readonly [year: number, month: number, day: number] {
  const z = daysSinceEpoch + epochDays;
  const era = Math.floor(z / daysOf400Years);
  const day = z - era * daysOf400Years;
  const leapless = day - Math.floor(day / 1_460) + Math.floor(day / 36_524);
  const yearOfEra = Math.floor((leapless - Math.floor(day / 146_096)) / 365);
  const dayOfYear =
    day - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const march = Math.floor((5 * dayOfYear + 2) / 153);
  const month = march < 10 ? march + 3 : march - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return [year, month, dayOfYear - Math.floor((153 * march + 2) / 5) + 1];
}
