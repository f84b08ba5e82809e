// The data of charts and sparklines: the history, continued by states and versions.

const HOUR_S = 3600;
const GAP_S = 90; // no line is drawn over a longer time without samples
const STALENESS_EVERY_S = 15;

export class Series {
  points = [];
  staleness = [];
  versions = [];
  #bucket = 15;

  load(history) {
    this.#bucket = history.bucket_s;
    this.points = history.points;
    this.staleness = history.staleness;
    this.versions = history.versions;
  }

  addVersion(version) {
    if (!this.versions.some((known) => known.version === version.version)) {
      this.versions.push(version);
    }
  }

  // A state's point replaces the previous one of the same bucket.
  addPoint(point) {
    const bucketOf = (t) => Math.floor(t / this.#bucket);
    const last = this.points.at(-1);
    if (last?.now && bucketOf(last.t) === bucketOf(point.t)) this.points.pop();
    this.points.push({ ...point, now: true });
    while (this.points.length && this.points[0].t < point.t - HOUR_S) this.points.shift();
    const stale = this.staleness.at(-1);
    if (point.staleness !== null && (!stale || point.t - stale[0] >= STALENESS_EVERY_S)) {
      this.staleness.push([point.t, point.staleness]);
    }
  }

  // Columns for a chart over time: [t, ...values], with a null where nothing was measured.
  over(values) {
    const columns = [[], ...values.map(() => [])];
    let before = null;
    for (const point of this.points) {
      if (before !== null && point.t - before > GAP_S) {
        columns[0].push(before + 1);
        for (const column of columns.slice(1)) column.push(null);
      }
      before = point.t;
      columns[0].push(point.t);
      values.forEach((value, place) => columns[place + 1].push(value(point)));
    }
    return columns;
  }
}
