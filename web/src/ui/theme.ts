// Light or dark: as the system has it, until somebody says otherwise.
const kKey = "weir-theme";
type Theme = "system" | "light" | "dark";
const kAll: Theme[] = ["system", "light", "dark"];

export function theme(): Theme {
  const kept = localStorage.getItem(kKey) as Theme | null;
  return kept && kAll.includes(kept) ? kept : "system";
}

export function applyTheme(to: Theme): void {
  if (to === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", to);
  localStorage.setItem(kKey, to);
}

export function nextTheme(): Theme {
  return kAll[(kAll.indexOf(theme()) + 1) % kAll.length] as Theme;
}
