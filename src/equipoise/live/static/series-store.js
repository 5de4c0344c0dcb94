/** Columns in bins, completed by what the server sends: full bins never change, so only the last one comes again. */

export class SeriesStore {
  constructor() {
    this.forget();
  }

  /** Ask for everything the next time. */
  forget() {
    this.generation = null;
    this.perBin = this.perBin ?? 1; // what is shown until the answer comes
    this.firstBin = 0;
    this.steps = this.steps ?? [];
    this.columns = this.columns ?? {};
  }

  /**
   * The query for a range of steps: what is missing, where the rest is here.
   * @param {[number, number]|null} range
   */
  query(range) {
    const found = new URLSearchParams();
    if (range) {
      found.set("low", String(range[0]));
      found.set("high", String(range[1]));
    }
    if (this.generation !== null && this.steps.length) {
      found.set("generation", String(this.generation));
      found.set("per_bin", String(this.perBin));
      found.set("first_bin", String(this.firstBin + this.steps.length - 1));
    }
    return found.toString();
  }

  /** Take what the server sent: all of it, or bins from `first_bin` on. */
  take(found) {
    if (!found.is_part || this.generation === null) {
      this.steps = found.steps;
      this.columns = found.columns;
      this.firstBin = found.first_bin;
    } else {
      const kept = found.first_bin - this.firstBin;
      this.steps = this.steps.slice(0, kept).concat(found.steps);
      for (const [key, column] of Object.entries(found.columns)) {
        const before = this.columns[key] ?? {};
        const joined = {};
        for (const part of ["mean", "low", "high"]) {
          if (column[part] || before[part]) joined[part] = filled(before[part], kept).concat(column[part] ?? filled([], found.steps.length));
        }
        this.columns[key] = joined;
      }
    }
    this.generation = found.generation;
    this.perBin = found.per_bin;
  }

  /** One column; empty where there is none. */
  values(key) {
    return this.columns[key] ?? { mean: [] };
  }
}

function filled(values, length) {
  const found = (values ?? []).slice(0, length);
  while (found.length < length) found.push(null);
  return found;
}
