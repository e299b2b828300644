// Makes the questions to click out of the list to read. Every quiz of the page that has none yet
// gets its own, so it does not matter how many there are, nor how often a cell is run.
(function () {
  function element(tag, attributes, ...inside) {
    const made = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    made.append(...inside);
    return made;
  }

  function fits(number, data) {
    if ("value" in data) return number === Number(data.value);
    return Number(data.low) <= number && number < Number(data.high); // false where there is no low
  }

  function ask(question, number) {
    const text = `${number}. ${question.querySelector("p").textContent}`;
    const answers = [...question.querySelectorAll("ul > li")];
    const status = element("p", { role: "status" });
    const group = element("div", { role: "group", "aria-label": text }, element("p", {}, text));

    function tell(answer) {
      status.className = answer.dataset.verdict;
      status.replaceChildren(...answer.lastElementChild.cloneNode(true).childNodes);
    }

    if (question.dataset.kind === "numeric") {
      const field = element("input", { type: "number", step: "any" });
      const label = element("label", {}, "Your number: ", field);
      const form = element("form", {}, label, element("button", {}, "Check"));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        const typed = field.valueAsNumber;
        if (Number.isNaN(typed)) {
          status.className = "";
          status.textContent = "Write a number, such as 0.5, then press Check.";
          return;
        }
        const other = ({ dataset }) => !("value" in dataset) && !("low" in dataset);
        tell(answers.find(({ dataset }) => fits(typed, dataset)) || answers.find(other));
      });
      group.append(form);
    } else {
      answers.forEach((answer) => {
        const button = element("button", { type: "button" }, answer.firstElementChild.textContent);
        button.addEventListener("click", () => {
          const verdict = answer.dataset.verdict;
          if (!button.className) button.append(element("strong", {}, ` (${verdict})`));
          button.className = verdict; // it stays, whatever is clicked next
          tell(answer);
        });
        group.append(button);
      });
    }
    group.append(status);
    return group;
  }

  document.querySelectorAll(".skin-quiz:not([data-ready])").forEach((quiz) => {
    quiz.setAttribute("data-ready", "");
    const questions = [...quiz.querySelectorAll("details > ol > li")];
    quiz.firstElementChild.replaceWith(...questions.map((one, place) => ask(one, place + 1)));
  });
})();
