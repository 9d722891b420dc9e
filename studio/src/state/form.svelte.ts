/** @file What stands in the fields under the prompt, kept over a reload of the page. */
import type { AdapterChoice, Capabilities, Settings, SizeText } from "../api/answers.ts";
import type { Fields } from "../logic/draw-order.ts";
import { isSizeText } from "../logic/draw-order.ts";
import { recall, remember } from "./memory.ts";

const PLACE = "nextstep.fields";

export class Form {
  prompt = $state("");
  style = $state("");
  size = $state<SizeText>("256x256");
  count = $state(1);
  seed = $state<number | undefined>(undefined);
  settings = $state.raw<Settings>({});
  adapters = $state.raw<readonly AdapterChoice[]>([]);
  /** Where the prompt's field is to get the focus; counted up to ask for it. */
  focusAsked = $state(0);

  get fields(): Fields {
    const { prompt, style, size, count, seed, settings, adapters } = this;
    return { prompt, style, size, count, seed, settings, adapters };
  }

  take(fields: Fields): void {
    Object.assign(this, fields);
  }

  askFocus(): void {
    this.focusAsked++;
  }

  /** Once the model is known: its own size, and what was in the fields of this model when the page was left. */
  begin({ model, size, maxCount }: Capabilities): void {
    const kept = recall<Partial<Fields> & { model?: string }>(PLACE, {});
    this.size = size;
    this.prompt = typeof kept.prompt === "string" ? kept.prompt : "";
    this.style = typeof kept.style === "string" ? kept.style : "";
    if (kept.model !== model) return;
    if (typeof kept.size === "string" && isSizeText(kept.size)) this.size = kept.size;
    if (typeof kept.count === "number")
      this.count = Math.max(1, Math.min(maxCount, Math.floor(kept.count) || 1));
  }

  keep(model: string): void {
    const { prompt, style, size, count } = this;
    remember(PLACE, { model, prompt, style, size, count });
  }
}
