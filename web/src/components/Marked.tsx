/** A text in which the parts that were typed are marked. */
export function Marked({ text, words }: { text: string; words: string }) {
  const typed = words
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (typed.length === 0) return text;
  const pattern = new RegExp(
    `(${typed.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`,
    "gi",
  );
  return text.split(pattern).map((part, index) => (index % 2 === 1 ? <mark key={index}>{part}</mark> : part));
}
