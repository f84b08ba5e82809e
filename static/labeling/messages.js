// What each message of the server means for the labeler.

import { refusalWords, word, wordsOf } from "./words.js";

const ASKED_AGAIN = new Set(["other_choices", "unknown_choice"]);

const meanings = {
  welcome(labeler, message) {
    const { view, buffer, stage, outbox } = labeler;
    labeler.session.id = message.session;
    labeler.welcomed = true;
    labeler.refusal = null;
    labeler.idle = null;
    labeler.away = false;
    labeler.classes.learn(message.choices, message.choices_version);
    view.describe(message.campaign);
    view.progress(message.progress);
    view.draw();
    buffer.expectAgain(stage.turn);
    outbox.resend();
    labeler.settle();
  },

  query(labeler, message) {
    const { stage, buffer } = labeler;
    const id = String(message.query);
    if (labeler.resting || labeler.answered.has(id)) return; // resent before our answer came
    labeler.idle = null;
    labeler.away = false;
    const held = stage.turn?.id === id ? stage.turn : buffer.find(id);
    if (held) {
      held.confirmed = true;
      buffer.renew(held, message.image);
    } else buffer.add(message);
    labeler.settle();
  },

  ack(labeler, message) {
    labeler.measure(message.id);
    const saved = labeler.outbox.settle(message.id);
    // Refused answers, and those still under way, do not count for the goal.
    if (saved?.type === "label") labeler.counted(1);
    else if (saved?.type === "undo") labeler.counted(-1);
    labeler.undone.delete(message.id);
    labeler.strip.saved(message.id);
    labeler.view.progress(message.progress);
    labeler.flush();
    labeler.later.whenCalm();
  },

  nack(labeler, { id, code, message }) {
    const { outbox, strip, undone, answered } = labeler;
    if (code === "rate_limited") {
      outbox.pause();
      return;
    }
    if (ASKED_AGAIN.has(code) && askAgain(labeler, id)) return;
    const sent = outbox.settle(id);
    if (sent?.type === "undo" && labeler.overtaken.delete(sent.label)) {
      undone.delete(id);
      return; // there was nothing to retract
    }
    labeler.view.notice(refusalWords(code, message), "warning");
    const item = undone.get(id);
    undone.delete(id);
    if (sent?.type === "undo") {
      if (!item || answered.has(item.turn.id)) return;
      labeler.take(item.turn.id);
      if (code === "paused") strip.add({ ...item, saved: true }); // the answer stands
    } else if (sent) {
      answered.delete(String(sent.query));
      strip.take(id);
    }
    labeler.settle();
    labeler.flush();
    labeler.later.whenCalm();
  },

  revoke(labeler, { query, fresher }) {
    const { stage, buffer } = labeler;
    const id = String(query);
    const shown = stage.turn?.id === id;
    if (shown && fresher) return; // the image in view stays
    labeler.outbox.forget(query);
    if (!labeler.take(id)) return;
    labeler.away = !stage.turn && !buffer.size && !labeler.idle;
    labeler.settle();
    if (shown) labeler.tellRevoked();
  },

  idle(labeler, { reason, detail }) {
    labeler.idle = reason;
    labeler.why = wordsOf(reason, detail);
    labeler.away = false;
    labeler.settle();
  },

  choices(labeler, { choices, choices_version }) {
    labeler.classes.learn(choices, choices_version);
  },

  campaign(labeler, { campaign }) {
    labeler.view.describe(campaign);
  },

  notice(labeler, { level, code, message }) {
    if (code === "saving_delayed") labeler.delay.told();
    else if (code === "saving_again") labeler.delay.end();
    else labeler.view.notice(message, level);
    labeler.link.show();
  },
};

// An answer to an older list of classes was refused: its image comes again, from the strip if it is
// still there, else from the server. Returns false if it was no answer of this page.
function askAgain(labeler, id) {
  const { outbox, strip, buffer } = labeler;
  const takenBack = outbox.messages.some(({ label }) => label === id);
  const sent = takenBack ? outbox.settle(id) : outbox.overtake(id);
  if (!sent) return false;
  labeler.view.notice(word("overtaken"));
  if (takenBack) {
    labeler.overtaken.add(id);
    return true;
  }
  labeler.answered.delete(String(sent.query));
  const turn = strip.take(id)?.turn;
  if (turn?.element.naturalWidth && !buffer.find(turn.id)) buffer.putFirst(turn);
  labeler.settle();
  labeler.flush();
  labeler.later.whenCalm();
  return true;
}

export function receive(labeler, message) {
  if (Object.hasOwn(meanings, message.type)) meanings[message.type](labeler, message);
}
