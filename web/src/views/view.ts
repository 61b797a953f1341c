// What a view is.
import type { Client } from "../api/client";
import type { OpenFiles } from "../state/files";
import type { GroupsStore } from "../state/groups_store";
import type { Live } from "../state/live";
import type { Route } from "../state/route";

export interface Context {
  client: Client;
  live: Live;
  groups: GroupsStore;
  files: OpenFiles;
  /** Shows what the link says, as if it had been clicked. `replace`: without a step in the history. */
  go: (link: string, replace?: boolean) => void;
}

export interface View {
  readonly element: HTMLElement;
  /** Called first, and whenever the address changes within the view. */
  show(route: Route): void;
  /** "r": look anew. */
  refresh?(): void;
  /** "/": where one types what is searched for. */
  search?: HTMLInputElement;
  /** Light and dark have changed. */
  restyle?(): void;
  close(): void;
}
