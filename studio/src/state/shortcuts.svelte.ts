/** @file Keys that do things from anywhere on the page, as its help lists them. */
import { recall, remember } from "./memory.ts";

export const SHORTCUTS = [
  { name: "draw", keys: "Ctrl+Enter", says: "draw" },
  { name: "leave", keys: "Escape", says: "leave what you are doing to a picture" },
  { name: "prompt", keys: "/", says: "go to the prompt" },
  { name: "older", keys: "ArrowRight", says: "the next older picture" },
  { name: "newer", keys: "ArrowLeft", says: "the next newer picture" },
  { name: "take", keys: "t", says: "take up the picture's recipe" },
  { name: "repeat", keys: "r", says: "repeat the picture" },
  { name: "another", keys: "n", says: "draw it with a new seed" },
  { name: "vary", keys: "v", says: "vary it" },
  { name: "rewind", keys: "w", says: "write on from a row" },
  { name: "brush", keys: "b", says: "brush over cells" },
  { name: "extend", keys: "x", says: "extend the sheet" },
  { name: "edit", keys: "e", says: "edit by instruction" },
  { name: "compare", keys: "c", says: "compare with another" },
  { name: "grid", keys: "g", says: "show the cells" },
  { name: "blank", keys: "k", says: "a blank sheet" },
  { name: "help", keys: "?", says: "this list" },
] as const;

export type ShortcutName = (typeof SHORTCUTS)[number]["name"];

const PLACE = "nextstep.letters";

class Shortcuts {
  /** Single letters may be switched off: they are in the way of speech input. */
  letters = $state(recall(PLACE, true));

  setLetters(on: boolean): void {
    this.letters = on;
    remember(PLACE, on);
  }
}

export const shortcuts = new Shortcuts();

/** Whether keys that are pressed there are text, or move something of its own. */
function isTaken(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, [role=slider], [role=application], [role=listbox]") !== null
  );
}

/** The shortcut that was pressed. */
export function shortcutOf(event: KeyboardEvent, letters: boolean): ShortcutName | undefined {
  if (event.defaultPrevented || event.isComposing) return undefined;
  const hasCommand = event.ctrlKey || event.metaKey;
  if (hasCommand) return event.key === "Enter" && !event.altKey ? "draw" : undefined;
  if (event.altKey) return undefined;
  if (event.key === "Escape") return "leave";
  if (isTaken(event.target)) return undefined;
  const isLetter = event.key.length === 1;
  if (isLetter && !letters) return undefined;
  return SHORTCUTS.find(({ keys }) => keys === event.key)?.name;
}
