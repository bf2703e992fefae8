import { describe, expect, test } from "vitest";
import { full } from "../src/matrix";
import { choiceText, direction, hasPieces, language, plural, shown, statement } from "../src/text";
import { wrapped } from "../src/picture";
import { filtered } from "../src/list";
import { MAP } from "./maps";

const MATRIX = { rows: 1, columns: 2, values: Float32Array.from([0.75, 0.25]), leftOut: undefined };

describe("text", () => {
  test("the direction is that of the first letter", () => {
    expect(direction("שלום world")).toBe("rtl");
    expect(direction("123 ذهب")).toBe("rtl");
    expect(direction("Tom ذهب")).toBe("ltr");
    expect(direction("汤姆")).toBe("ltr");
    expect(direction("...")).toBe("ltr");
  });
  test("Han characters get the shapes of their language", () => {
    expect(["汤姆追", "名前はまだ", "톰이 漢字", "Tom", ""].map(language)).toEqual(["zh", "ja", "ko", "", ""]);
  });
  test("weights have the decimals that are certain", () => {
    expect(shown(0.9312, 1)).toBe("0.93");
    expect(shown(0.0393, 0.04)).toBe("0.0393");
    expect(shown(0.001, 1)).toBe("below 0.01");
    expect(shown(0, 1)).toBe("0.00");
    // Halves go to the even digit, as in the terminal; what only looks like one does not.
    expect([0.125, 0.375, 0.285, 0.995].map((weight) => shown(weight, 1))).toEqual(["0.12", "0.38", "0.28", "0.99"]);
  });
  test("the choice of layer and head is named", () => {
    expect(choiceText(MAP, ["mean", "mean"])).toBe("mean of 2 layers x 2 heads");
    expect(choiceText(MAP, [1, "mean"])).toBe("layer 1, mean of 2 heads");
    expect(choiceText(MAP, [0, 1])).toBe("layer 0, head 1");
    expect(choiceText({ ...MAP, shape: [1, 2, 3, 4] }, [0, 1])).toBe("head 1");
    expect(choiceText({ ...MAP, axes: [], shape: [3, 4] }, [])).toBe("");
  });
  test("the statement tells scale, range, unit and convention", () => {
    const said = statement(MAP, [0, "mean"], full(MATRIX, "whole"), "root", "whole", "word").join(" ");
    expect(said).toBe(
      "Cross attention; layer 0, mean of 2 heads; each row: what was looked at to predict that word. " +
        "Colour grows with the square root of the weight; full colour is 0.75, the largest weight of all; " +
        "pieces merged into words: weights of source pieces added up, rows of target pieces averaged; weights in 255 steps of the largest of their row.",
    );
    const other = statement({ ...MAP, convention: "reading" }, [0, 0], full(MATRIX, "row"), "linear", "row", "piece").join(" ");
    expect(other).toContain("after reading that word");
    expect(other).toContain("Colour grows with the weight; full colour is the largest weight of each row;");
  });
  test("small things", () => {
    expect(hasPieces(MAP)).toBe(true);
    expect(plural(1, "head")).toBe("1 head");
    expect(plural(1200, "sentence")).toBe("1,200 sentences");
    const measure = (text: string) => text.length;
    expect(wrapped("aa bb cc dd", 5, 1, measure)).toEqual(["aa bb", "cc dd"]);
  });
  test("the filter wants every word, in whichever sentence, in any case", () => {
    const other = { ...MAP, source: { ...MAP.source, text: "Jerry sees Tom" } };
    expect(filtered([MAP, other], "tom")).toEqual([0, 1]);
    expect(filtered([MAP, other], "JERRY 汤姆")).toEqual([1]);
    expect(filtered([MAP, other], "nobody")).toEqual([]);
    expect(filtered([MAP, other], "  ")).toEqual([0, 1]);
  });
});
