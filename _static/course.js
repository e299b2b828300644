// Tables and, on a phone, figures scroll sideways on their own: a stop for the Tab key, so that the
// arrow keys move them. What fits is no stop. (For blocks of code the theme does the same.)
(() => {
  const mark = () => {
    document.querySelectorAll("table.dataframe, div.cell_output").forEach((box) => {
      const scrolls = getComputedStyle(box).overflowX === "auto";
      box.toggleAttribute("tabindex", scrolls && box.scrollWidth > box.clientWidth);
      if (box.hasAttribute("tabindex")) box.tabIndex = 0;
    });
  };
  addEventListener("load", mark);
  addEventListener("resize", mark);

  // Paper is white, whatever the screen is.
  const { dataset } = document.documentElement;
  let theme;
  addEventListener("beforeprint", () => { [theme, dataset.theme] = [dataset.theme, "light"]; });
  addEventListener("afterprint", () => { dataset.theme = theme; });
})();
