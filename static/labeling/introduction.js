// Before the first image, once per person and campaign: the instructions, then a practice if the
// campaign wants one. The server records finished steps, for all devices.

// begin: the page's data attributes for it, with the addresses.
export async function introduce(begin, { labeler, help, practice }) {
  if (begin.introduce) {
    await learnClasses(begin.classes, labeler);
    await help.introduce();
    remember(begin.passed, "introduced");
  }
  if (!begin.required) return;
  if (await practice.run({ required: true })) remember(begin.passed, "practiced");
}

// The sheet shows the classes, which no welcome has named yet.
async function learnClasses(address, labeler) {
  try {
    const answer = await (await fetch(address)).json();
    labeler.classes.learn(answer.choices, answer.choices_version);
  } catch {
    // Offline: the instructions alone.
  }
}

async function remember(address, step) {
  const headers = { "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value };
  try {
    await fetch(address, { method: "POST", headers, body: new URLSearchParams({ step }) });
  } catch {
    // It is shown again next time.
  }
}
