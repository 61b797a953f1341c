// A picture that the endpoint has drawn, in a box in which it is moved and zoomed, with the buttons
// that do the same.
import { button, fill, h, save } from "./dom";
import { PanZoom, safeSvg } from "./svg_graph";

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

  /** Throws where the text is no picture. */
  show(text: string): void {
    this.pan.show(safeSvg(text));
    this.text = text;
  }

  clear(): void {
    this.text = "";
    fill(this.box);
  }
}
