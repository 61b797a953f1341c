// Light or dark: as the system has it, until somebody says otherwise.
import { storage } from "../state/storage";

const kKey = "weir-theme";
const kept = storage("localStorage");
type Theme = "system" | "light" | "dark";
const kAll: Theme[] = ["system", "light", "dark"];

export function theme(): Theme {
  const chosen = kept.getItem(kKey) as Theme | null;
  return chosen && kAll.includes(chosen) ? chosen : "system";
}

export function applyTheme(to: Theme): void {
  kept.setItem(kKey, to);
  const isDark = to === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : to === "dark";
  document.documentElement.setAttribute("data-theme", isDark ? "dark" : "light");
}

export function nextTheme(): Theme {
  return kAll[(kAll.indexOf(theme()) + 1) % kAll.length] as Theme;
}
