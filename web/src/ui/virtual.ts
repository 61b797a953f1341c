// A table of very many rows of one height, of which only those in sight exist. The active row is
// moved by the arrow keys; Enter opens it.
//
// For assistive technology it is a listbox of rows: each option says all that stands in it.
import { fill, h } from "./dom";

export interface Column<T> {
  name: string;
  title: string;
  class: string;
  cell: (row: T) => Node | string;
  sort?: boolean;
}

const kRow = 30; // px, as in style.css
const kSpare = 8; // rows beyond what is in sight

export class VirtualTable<T> {
  readonly element: HTMLElement;
  private readonly body: HTMLElement;
  private readonly space: HTMLElement;
  private readonly head: HTMLElement;
  private rows: T[] = [];
  private active = -1;
  private drawn: [number, number] = [-1, -1];
  private cells = new Map<number, HTMLElement>();

  constructor(
    private readonly options: {
      label: string;
      columns: Column<T>[];
      key: (row: T) => string;
      text: (row: T) => string; // read out
      open: (row: T) => void;
      onSort: (name: string) => void;
    },
  ) {
    this.head = h("div", { class: "vt-head" });
    this.space = h("div", { class: "vt-space" });
    this.body = h(
      "div",
      {
        class: "vt-body",
        tabindex: "0",
        role: "listbox",
        "aria-label": options.label,
        on: {
          scroll: () => this.draw(),
          keydown: (e) => this.onKey(e),
          click: (e) => this.onClick(e),
        },
      },
      this.space,
    );
    this.element = h("div", { class: "vt" }, this.head, this.body);
    new ResizeObserver(() => this.draw(true)).observe(this.body);
    this.setSort("");
  }

  setSort(name: string): void {
    fill(
      this.head,
      this.options.columns.map((c) =>
        c.sort
          ? h(
              "button",
              {
                type: "button",
                class: c.class,
                title: `Sort by ${c.title.toLowerCase()}`,
                "data-focus": c.name,
                "aria-pressed": String(c.name === name),
                on: { click: () => this.options.onSort(c.name) },
              },
              c.title + (c.name === name ? " ▾" : ""),
            )
          : h("span", { class: c.class }, c.title),
      ),
    );
  }

  /** The rows, in order; `key` names the active one. */
  show(rows: T[], key: string): void {
    this.rows = rows;
    this.active = key ? rows.findIndex((r) => this.options.key(r) === key) : -1;
    this.space.style.setProperty("height", `${rows.length * kRow}px`);
    this.draw(true);
  }

  private draw(anew = false): void {
    const height = this.body.clientHeight;
    const first = Math.max(0, Math.floor(this.body.scrollTop / kRow) - kSpare);
    const end = Math.min(this.rows.length, Math.ceil((this.body.scrollTop + height) / kRow) + kSpare);
    if (!anew && first === this.drawn[0] && end === this.drawn[1]) return;
    this.drawn = [first, end];
    if (anew) {
      for (const row of this.cells.values()) row.remove();
      this.cells.clear();
    }
    for (const [i, row] of this.cells) {
      if (i >= first && i < end) continue;
      row.remove();
      this.cells.delete(i);
    }
    for (let i = first; i < end; i++) {
      if (this.cells.has(i)) continue;
      const row = this.rows[i] as T;
      const element = h(
        "div",
        {
          id: `vt-${i}`,
          class: `vt-row${i % 2 ? " odd" : ""}`,
          role: "option",
          "aria-label": this.options.text(row),
          "aria-selected": String(i === this.active),
          "aria-setsize": this.rows.length,
          "aria-posinset": i + 1,
          "data-row": i,
          style: { transform: `translateY(${i * kRow}px)` },
        },
        this.options.columns.map((c) => h("span", { class: c.class }, c.cell(row))),
      );
      this.cells.set(i, element);
      this.space.append(element);
    }
    if (this.active >= first && this.active < end) {
      this.body.setAttribute("aria-activedescendant", `vt-${this.active}`);
    } else {
      this.body.removeAttribute("aria-activedescendant");
    }
  }

  private activate(i: number): void {
    this.active = Math.min(Math.max(i, 0), this.rows.length - 1);
    const top = this.active * kRow;
    const { scrollTop, clientHeight } = this.body;
    if (top < scrollTop) this.body.scrollTop = top;
    else if (top + kRow > scrollTop + clientHeight) this.body.scrollTop = top + kRow - clientHeight;
    this.draw(true);
  }

  private onKey(e: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.body.clientHeight / kRow) - 1);
    const moves: Record<string, number> = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: this.rows.length - 1,
    };
    const to = moves[e.key];
    if (to !== undefined) {
      e.preventDefault();
      this.activate(to);
    } else if (e.key === "Enter" || e.key === " ") {
      const row = this.rows[this.active];
      if (row === undefined) return;
      e.preventDefault();
      this.options.open(row);
    }
  }

  private onClick(e: MouseEvent): void {
    const target = (e.target as Element).closest("[data-row]");
    if (!target || getSelection()?.toString()) return;
    const i = Number(target.getAttribute("data-row"));
    this.activate(i);
    const row = this.rows[i];
    if (row !== undefined) this.options.open(row);
  }
}
