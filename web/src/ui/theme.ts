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
  if (to === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", to);
  kept.setItem(kKey, to);
}

export function nextTheme(): Theme {
  return kAll[(kAll.indexOf(theme()) + 1) % kAll.length] as Theme;
}
