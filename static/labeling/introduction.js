// What comes before the first image, once per person and campaign: the instructions, then a
// practice where the campaign wants one. The server remembers what is done, for all devices.

// begin: what the page says of it, the addresses included.
export async function introduce(begin, { labeler, help, practice }) {
  if (begin.introduce) {
    await learnClasses(begin.classes, labeler);
    await help.introduce();
    remember(begin.passed, "introduced");
  }
  if (!begin.required) return;
  if (await practice.run({ required: true })) remember(begin.passed, "practiced");
}

// The sheet shows the classes, and there is no welcome yet that names them.
async function learnClasses(address, labeler) {
  try {
    const answer = await (await fetch(address)).json();
    labeler.classes.learn(answer.choices, answer.choices_version);
  } catch {
    // Without a network the instructions alone must do.
  }
}

async function remember(address, step) {
  const headers = { "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value };
  try {
    await fetch(address, { method: "POST", headers, body: new URLSearchParams({ step }) });
  } catch {
    // Then it is shown again the next time.
  }
}
