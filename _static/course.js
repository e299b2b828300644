// A table that scrolls sideways is a stop for the Tab key, so that the arrow keys move it; one that
// fits is none. (For blocks of code the theme does the same.)
(() => {
  const mark = () => {
    document.querySelectorAll("table.dataframe").forEach((table) => {
      if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
      else table.removeAttribute("tabindex");
    });
  };
  addEventListener("load", mark);
  addEventListener("resize", mark);

  // The theme takes the focus from its buttons when they are clicked; from the keyboard they keep it.
  addEventListener("click", ({ detail, target }) => {
    if (detail === 0) target.closest(".bd-header-article button")?.focus();
  });

  // Paper is white, whatever the screen is.
  const { dataset } = document.documentElement;
  let theme;
  addEventListener("beforeprint", () => { [theme, dataset.theme] = [dataset.theme, "light"]; });
  addEventListener("afterprint", () => { dataset.theme = theme; });
})();
