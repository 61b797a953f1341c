// A picture that the endpoint has drawn, in a box in which it is moved and zoomed, with the buttons
// that do the same.
import { button, fill, h, save } from "./dom";
import { PanZoom, SafeSvg } from "./svg_graph";

const kSlice = 8; // ms at a time

export class Picture {
  readonly box: HTMLElement;
  readonly tools: HTMLElement[];
  private readonly pan: PanZoom;
  private text = "";

  /** `pick`: what is told of a box that was clicked. */
  constructor(label: string, fileName: string, pick: (tip: string) => void) {
    this.box = h("div", { class: "graph-box", tabindex: "0", role: "application", "aria-label": `${label}: arrow keys move, plus and minus zoom, 0 shows all. The same in words: Copy as text.` });
    this.pan = new PanZoom(this.box, pick);
    this.tools = [
      h("span", { class: "switch", role: "group", "aria-label": "Zoom" },
        button("−", () => this.pan.zoom(0.8), { "aria-label": "Smaller" }),
        button("+", () => this.pan.zoom(1.25), { "aria-label": "Larger" }),
        button("All", () => this.pan.fit())),
      button("Save as SVG", () => this.text && save(new Blob([this.text], { type: "image/svg+xml" }), fileName)),
    ];
  }

  /** Throws where the text is no picture, or has more than is shown of it. Takes it over bit by bit:
   * the page stays at hand. */
  async show(text: string): Promise<void> {
    const next = new SafeSvg(text);
    this.pan.show(next.picture);
    this.text = text;
    for (;;) {
      const end = performance.now() + kSlice;
      if (next.take(() => performance.now() < end)) break;
      await new Promise((resolve) => setTimeout(resolve));
      if (this.text !== text) return; // another one is shown
    }
    if (next.isCut) throw new Error("The picture has more elements than can be shown here: save it, or ask for less.");
  }

  clear(): void {
    this.text = "";
    fill(this.box);
  }
}
