/** @file Portraits: are the colours that were asked for on the right things. */
import { avatarColours } from "../avatar-colours.ts";
import { shareOf } from "../estimate.ts";
import { type Heading, type Judged, type Row, rowOf } from "./row.ts";

export interface Portrayed {
  readonly hair: string;
  readonly shirt: string;
}

/** Whether both hair and shirt have their colours. */
export async function avatarRows(heading: Heading, judged: readonly Judged<Portrayed>[]): Promise<Row[]> {
  return rowOf<Portrayed>(heading, "colours of hair and shirt", "share", (pick) => {
    const right = judged.filter((each) => {
      const { hair, shirt } = avatarColours(pick(each));
      return hair === each.item.hair && shirt === each.item.shirt;
    });
    return shareOf(right.length, judged.length);
  });
}
