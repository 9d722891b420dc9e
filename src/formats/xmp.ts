/** @file The XMP packet that marks a picture as made, or altered, by a trained model (IPTC digital source type). */

/** Keyword of the PNG iTXt chunk that holds XMP. */
export const XMP_KEYWORD = "XML:com.adobe.xmp";

/** What IPTC's vocabulary offers for generated pictures. */
export type DigitalSourceType = "trainedAlgorithmicMedia" | "compositeWithTrainedAlgorithmicMedia";

const VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/";
const PROPERTY = "DigitalSourceType";

/** A whole packet: `trainedAlgorithmicMedia` for a picture from text, the composite one for an edited photograph. */
export function xmpPacket(sourceType: DigitalSourceType): string {
  return [
    `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>`,
    `<x:xmpmeta xmlns:x="adobe:ns:meta/">`,
    ` <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">`,
    `  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">`,
    `   <Iptc4xmpExt:${PROPERTY}>${VOCABULARY}${sourceType}</Iptc4xmpExt:${PROPERTY}>`,
    "  </rdf:Description>",
    " </rdf:RDF>",
    "</x:xmpmeta>",
    `<?xpacket end="w"?>`,
  ].join("\n");
}

/** The IPTC source type that a packet states, as element or attribute; undefined if it states none. */
export function readDigitalSourceType(packet: string): string | undefined {
  for (let at = packet.indexOf(PROPERTY); at >= 0; at = packet.indexOf(PROPERTY, at + 1)) {
    // A short window: no packet can make the pattern walk far.
    const value = packet.slice(at + PROPERTY.length, at + PROPERTY.length + 200);
    const match = /^\s{0,9}(?:=\s{0,9}["']|>\s{0,9})([\w:/.-]+)\s{0,9}["'<]/.exec(value);
    if (match?.[1]?.startsWith(VOCABULARY)) return match[1].slice(VOCABULARY.length);
  }
  return undefined;
}
