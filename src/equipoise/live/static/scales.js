/** Ranges, ticks and places of axes: arithmetic without a page. */

/**
 * Round numbers between two ends, at most about `count`.
 * @returns {number[]}
 */
export function ticks(low, high, count = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const unit = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
  const first = Math.ceil(low / unit - 1e-9);
  const found = [];
  for (let k = first; k * unit <= high + unit * 1e-9 && found.length < 50; k += 1) {
    found.push(Number((k * unit).toPrecision(12)));
  }
  return found;
}

/** Powers of ten between two ends of a logarithmic axis, with 2 and 5 times them where there are few. */
export function logTicks(low, high) {
  const factors = Math.log10(high / low) < 1.7 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil(Math.log10(high / low) / 6));
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += stride) {
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push(Number(value.toPrecision(6)));
    }
  }
  return found.length > 1 ? found : ticks(low, high, 4);
}

/** Digits, three or more, with which the marks of an axis read as different numbers. */
export function digitsApart(marks) {
  let digits = 3;
  while (digits < 7 && new Set(marks.map((mark) => mark.toPrecision(digits))).size < marks.length) digits += 1;
  return digits;
}

/** The finite numbers of several lists. */
export function finiteOf(lists) {
  const found = [];
  for (const list of lists) {
    for (const value of list ?? []) if (value !== null && Number.isFinite(value)) found.push(value);
  }
  return found;
}

/** The value below which a share of the values lies. */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))];
}

/**
 * The range of a vertical axis and whether it is logarithmic.
 * @param {Array<Array<number|null>>} means of the lines
 * @param {"zoom"|"log"|"zero"|"probability"|"all"} scale as in the report: the middle 98 % of the values; logarithmic
 *   where all are positive and span more than a factor of 20; from 0; a probability's 0 to 1; everything
 * @param {number[]} extra values that must be seen
 */
export function verticalRange(means, scale, extra = []) {
  if (scale === "probability") return { low: -0.03, high: 1.03, isLog: false };
  const values = finiteOf(means);
  if (!values.length) return { low: 0, high: 1, isLog: false };
  if (scale === "log") {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    if (low > 0 && high / low > 20) return { low: low / 1.15, high: high * 1.15, isLog: true };
    return widened(Math.min(low, 0), high, false);
  }
  if (scale === "zero") return { low: 0, high: 1.1 * values.reduce((a, b) => Math.max(a, b), 0) || 1, isLog: false };
  const share = scale === "all" ? 0 : 0.01;
  const last = means.map((list) => [...(list ?? [])].reverse().find((value) => value !== null)).filter(Number.isFinite);
  const seen = [quantile(values, share), quantile(values, 1 - share), ...extra, ...last];
  return widened(Math.min(...seen), Math.max(...seen), true);
}

function widened(low, high, both) {
  const margin = 0.06 * (high - low) || Math.abs(high) * 0.1 || 1;
  return { low: both || low < 0 ? low - margin : low, high: high + margin, isLog: false };
}

/**
 * From a value to a place in pixels.
 * @returns {(value: number) => number}
 */
export function scaleOf({ low, high, isLog }, from, to) {
  const [a, b] = isLog ? [Math.log10(low), Math.log10(high)] : [low, high];
  const factor = (to - from) / (b - a || 1);
  return (value) => from + ((isLog ? Math.log10(Math.max(value, 1e-300)) : value) - a) * factor;
}

/** The index of the entry nearest to a value in an ascending list. */
export function nearestIndex(ascending, value) {
  let [low, high] = [0, ascending.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (ascending[middle] <= value) low = middle;
    else high = middle;
  }
  if (high < 0) return -1;
  return Math.abs(ascending[low] - value) <= Math.abs(ascending[high] - value) ? low : high;
}

/** A value kept between two ends. */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * Lines over different steps brought to the steps of all: each is straight between its own values, and missing outside.
 * @param {Array<{steps: number[], values: Array<number|null>}>} parts
 * @returns {{steps: number[], columns: Array<Array<number|null>>}}
 */
export function onCommonSteps(parts) {
  const steps = [...new Set(parts.flatMap((part) => part.steps))].sort((a, b) => a - b);
  const columns = parts.map((part) => {
    const known = part.steps.map((step, k) => [step, part.values[k]]).filter(([, value]) => Number.isFinite(value ?? NaN));
    let place = 0;
    return steps.map((step) => {
      while (place < known.length && known[place][0] < step) place += 1;
      if (place < known.length && known[place][0] === step) return known[place][1];
      if (place === 0 || place === known.length) return null;
      const [[from, low], [to, high]] = [known[place - 1], known[place]];
      return low + ((high - low) * (step - from)) / (to - from);
    });
  });
  return { steps, columns };
}
