// Numbers over time: uPlot, with lines that are told apart without colour.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock, compact } from "../model/format";

/** How the lines look, by rank: colours of Okabe and Ito, and dashes. */
export const kDashes: number[][] = [[], [6, 3], [2, 3], [10, 3, 2, 3], [1, 5], [14, 4]];

function property(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export class Chart {
  private plot: uPlot | null = null;
  private names: string[] = [];
  private data: uPlot.AlignedData = [[]];
  private readonly observer: ResizeObserver;

  constructor(private readonly box: HTMLElement) {
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(box);
  }

  /** `values`: of each name, at each of the times (s). */
  show(times: number[], names: string[], values: (number | null)[][]): void {
    this.data = [times, ...values];
    if (this.plot && names.join("\n") === this.names.join("\n")) {
      this.plot.setData(this.data);
      return;
    }
    this.names = names;
    this.make();
  }

  /** After a change of light and dark. */
  restyle(): void {
    if (this.plot) this.make();
  }

  destroy(): void {
    this.observer.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(120, this.box.clientWidth), height: Math.max(120, this.box.clientHeight) };
  }

  private resize(): void {
    const size = this.size();
    if (this.plot && (this.plot.width !== size.width || this.plot.height !== size.height)) {
      this.plot.setSize(size);
    }
  }

  private make(): void {
    this.plot?.destroy();
    const axis = {
      stroke: property("--quiet"),
      grid: { stroke: property("--line"), width: 1 },
      ticks: { stroke: property("--line"), width: 1 },
      font: "11px system-ui, sans-serif",
    };
    this.plot = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_u, _min, max) => [0, Math.max(4, max * 1.1)] } },
        axes: [
          { ...axis, space: 80, values: (_u, splits) => splits.map((s) => clock(s * 1e9)) },
          { ...axis, size: 46, values: (_u, splits) => splits.map((v) => compact(v)) },
        ],
        series: [
          {},
          ...this.names.map((label, i) => ({
            label,
            stroke: property(`--series-${i}`),
            dash: kDashes[i] ?? [],
            width: i === 0 ? 2 : 1.6,
            points: { show: false },
          })),
        ],
      },
      this.data,
      this.box,
    );
  }
}
