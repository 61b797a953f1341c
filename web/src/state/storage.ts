// What the browser keeps for us, where it does: who forbids cookies has no storage, and a page all the same.

export type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export function storage(which: "localStorage" | "sessionStorage"): Kept {
  try {
    const kept = globalThis[which];
    kept.getItem("");
    return kept;
  } catch {
    const all = new Map<string, string>();
    return {
      getItem: (key) => all.get(key) ?? null,
      setItem: (key, value) => void all.set(key, value),
      removeItem: (key) => void all.delete(key),
    };
  }
}
