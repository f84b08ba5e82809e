// One person's labeling: turns held, shown and answered. `answer` puts an answer into the outbox,
// the next image onto the stage and the answer onto the wire, all in the task of the key press.

import { Ahead } from "./ahead.js";
import { Buffer } from "./buffer.js";
import { Classes } from "./classes.js";
import { Connection } from "./connection.js";
import { Delay } from "./delay.js";
import { Later } from "./later.js";
import { Link } from "./link.js";
import { receive } from "./messages.js";
import { Outbox } from "./outbox.js";
import { Rail } from "./rail.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { View } from "./view.js";
import { word } from "./words.js";

const REVOKED_MS = 100;
const BLIND = 3; // undecodable images in a row: the browser is at fault

const part = (id) => document.getElementById(id);

export class Labeler {
  refusal = null; // the close code of a refusal, or "stranger": somebody else is logged in
  idle = null; // the server's reason for having nothing
  why = null; // the same in more detail: the key of its words
  away = false; // all turns were revoked while nobody answered
  resting = false; // on a pause nothing is held here; the key of its words
  welcomed = false;
  answered = new Set(); // answered turns, so that no resent query shows them again
  undone = new Map(); // id of an undo → the item of the strip that it retracts
  overtaken = new Set(); // ids of answers that were retracted and never stored
  later = new Later(() => this.#catchUp());
  #number = 0; // of images shown
  #revokedTimer = 0;
  #undecodable = 0; // in a row
  #other = null; // the name of the person logged in instead
  #ahead = new Ahead();
  #learned;
  #drawn;

  // who: the page's person, {id, name}; place: their key in this browser's storage. own(choices)
  // gives the classes the person's own keys; learned() is called when the classes are known or have
  // changed, counted(change) when an answer was saved or retracted, drawn() after the deferred
  // drawing.
  constructor({ who, place, socket, loginUrl, own, learned, counted, drawn }) {
    this.who = who;
    this.link = new Link(this);
    this.#learned = learned;
    this.counted = counted;
    this.#drawn = drawn;
    this.session = new Session(place);
    this.view = new View({ loginUrl, goOn: () => this.goOn() });
    this.stage = new Stage({
      stage: part("stage"),
      frame: part("frame"),
      broken: (turn) => this.#bringAgain(turn),
    });
    this.buffer = new Buffer({
      ready: (turn) => {
        this.settle();
        if (this.stage.turn && this.buffer.find(turn.id)) this.stage.prepare(turn);
      },
      unshown: (turn, problem, detail) => this.#report(turn, problem, detail),
      waits: () => this.settle(),
      gone: (turn) => this.#gone(turn),
    });
    this.strip = new Strip({ list: part("strip"), place, back: (label) => this.undo(label) });
    this.rail = new Rail({
      box: part("choices"),
      field: part("search"),
      words: part("search-words"),
      pick: (choice) => this.answer({ choice }),
    });
    this.classes = new Classes(this.rail, {
      own,
      shown: () => this.#relabel(),
      news: (reads) => this.#lookAt(reads),
    });
    this.outbox = new Outbox({
      place,
      send: (message) => this.connection.send(message),
      changed: () => {
        this.link.show();
        this.#handBack();
      },
      unkept: () => this.view.notice(word("unkept"), "warning"),
    });
    this.delay = new Delay(this.outbox, (text, level) => this.view.notice(text, level));
    this.connection = new Connection(socket, who.id, {
      hello: () => this.#ready(this.session.id),
      message: (message) => receive(this, message),
      status: () => this.link.changed(),
      refused: (code, name) => this.#refused(code, name),
    });
  }

  // Takes over messages that earlier pages left here, then connects.
  async begin() {
    await this.outbox.load();
    const { messages } = this.outbox;
    const queryOf = (label) => String(messages.find(({ id }) => id === label)?.query);
    for (const { type, query, label } of messages) {
      if (type === "undo") this.answered.delete(queryOf(label));
      else this.answered.add(String(query));
    }
    this.strip.restore((label) => !messages.some(({ id }) => id === label));
    this.strip.draw();
    this.link.changed();
    this.connection.restart();
  }

  // --- what the person does -----------------------------------------------------------------------

  // Exactly one of choice and reason. Returns false when there is nothing to answer.
  answer({ choice, reason }) {
    const { stage } = this;
    if (this.classes.changed) this.goOn(); // a click then only confirms the new list
    else if (stage.armed) return this.#say(choice, reason);
    return false;
  }

  #say(choice, reason) {
    const { stage } = this;
    const shown_ms = stage.shownMs;
    const turn = stage.clear();
    const choices_version = this.classes.version;
    const { query, proof } = turn;
    const fields = choice
      ? { type: "label", query, choice: choice.choice, shown_ms, choices_version, proof }
      : { type: "skip", query, reason, proof };
    const id = this.outbox.put(fields);
    this.answered.add(turn.id);
    turn.former = null;
    this.strip.add({ label: choice ? id : null, turn, choice });
    this.#ahead.answered(performance.now() / 1000);
    this.settle();
    this.flush();
    this.later.afterImage(); // even if nothing is left to show
    return true;
  }

  // Gives an image that an undo brought back its former answer, unless its class was renamed.
  redo() {
    const former = this.stage.turn?.former;
    const choice = this.rail.find(former?.choice);
    if (choice && choice.name === former.name) this.answer({ choice });
  }

  undo(label = this.strip.newest) {
    const item = this.#stopped ? undefined : this.strip.take(label);
    if (!item) return;
    this.undone.set(this.outbox.put({ type: "undo", label }), item);
    this.answered.delete(item.turn.id);
    const present = this.stage.clear();
    if (present) this.buffer.putFirst(present);
    item.turn.ready = false;
    item.turn.confirmed = true;
    item.turn.former = item.choice;
    this.stage.show(item.turn);
    this.settle();
    this.view.speak(word("undone", item.choice));
    this.flush();
    this.later.afterImage();
  }

  // A pause, by choice or because no image can be shown here: others get the images.
  rest(words = "break") {
    if (this.refusal || this.resting) return;
    this.resting = words;
    this.away = false;
    this.idle = null;
    this.stage.clear();
    this.buffer.clear();
    this.#handBack();
    this.settle();
  }

  // The panel's button, or any key when the person was away or paused.
  goOn() {
    if (this.resting) {
      this.resting = false;
      this.session.id = null;
      this.connection.retry();
    } else if (this.refusal === "stranger") {
      location.reload();
    } else if (this.refusal) {
      this.refusal = null;
      this.connection.retry();
    } else {
      this.classes.changed = false;
      if (this.away) this.connection.send(this.#ready(null));
      this.away = false;
    }
    this.settle();
  }

  // --- what follows -------------------------------------------------------------------------------

  // Updates the page: an image on an empty stage, or the words for why there is none.
  settle() {
    const { stage, view, rail, refusal } = this;
    if (!stage.turn && !this.#stopped) {
      const next = this.buffer.take();
      if (next) {
        stage.show(next);
        this.#undecodable = 0;
        this.later.afterImage();
        this.#number += 1;
        view.speak(word("new_image", { number: this.#number, n: rail.choices.length }));
      }
    }
    part("undo").disabled = !this.strip.newest || this.#stopped;
    part("pause").disabled = refusal !== null;
    const fetching = this.buffer.failing ? "storage_away" : "waiting";
    const without = this.link.unreachable
      ? "unreachable"
      : this.welcomed
        ? fetching
        : "connecting";
    const names = { name: this.who.name, other: this.#other };
    if (refusal) view.state("closed", String(refusal), String(refusal), names);
    else if (this.resting) view.state("resting", "break", this.resting);
    else if (stage.turn) view.state("labeling", "labeling");
    else if (this.classes.changed && !this.idle) view.state("changed", "changed");
    else if (this.away) view.state("away", "away");
    else if (this.idle) view.state("idle", this.idle, this.why);
    else view.state("connecting", without);
  }

  // Takes a turn away, wherever it is; returns it, or undefined if it is not held.
  take(id) {
    return this.stage.turn?.id === id ? this.stage.clear() : this.buffer.remove(id);
  }

  // Once per burst, and not if the burst took everything: the panel then says so.
  tellRevoked() {
    clearTimeout(this.#revokedTimer);
    const tell = () => this.stage.turn && this.view.notice(word("revoked"));
    this.#revokedTimer = setTimeout(tell, REVOKED_MS);
  }

  #relabel() {
    this.view.caps(this.classes.keys.caps);
    this.strip.rename((id) => this.rail.find(id));
    this.later.whenCalm();
    this.#learned();
  }

  // Has the person look at a list that looks different.
  #lookAt(reads) {
    if (!reads) this.view.notice(word("recolored"));
    const turn = reads && this.stage.clear();
    if (turn) this.buffer.putFirst(turn);
    this.settle();
  }

  flush() {
    if (this.connection.live) this.outbox.pump();
  }

  // Called once a second.
  tick() {
    if (this.connection.live && this.outbox.overdue) this.connection.restart();
    else if (this.connection.live) this.delay.look();
    this.link.show();
  }

  // Nothing can be shown or undone.
  get #stopped() {
    return this.refusal !== null || this.resting || this.classes.changed;
  }

  // A receipt came; its successor is still to be fetched. Announces a change of the buffer's size.
  measure(id) {
    const delay = this.outbox.onTheWay(id);
    const changed = delay > 0 && this.#ahead.delayed(delay + this.buffer.fetching);
    if (changed) this.connection.send(this.#ready(null));
  }

  #catchUp() {
    this.stage.sweep();
    this.strip.draw();
    this.view.draw();
    this.#drawn();
    this.buffer.ripen();
  }

  #ready(resume) {
    return { type: "ready", buffer: this.#ahead.size, resume };
  }

  // An image that does not show here: this page reports it; the person gives no verdict.
  #report(turn, problem, detail) {
    this.take(turn.id);
    const { query, proof } = turn;
    this.outbox.put({ type: "report", query, problem, detail, proof });
    this.answered.add(turn.id);
    if (problem === "not_decodable") this.#undecodable += 1;
    if (this.#undecodable >= BLIND) this.rest("cannot_show");
    else this.view.notice(word("unshown"));
    this.settle();
    this.flush();
  }

  // An image back on the stage that cannot be shown there: fetch it like any other.
  #bringAgain(turn) {
    if (this.stage.turn !== turn) return;
    this.stage.clear();
    this.buffer.bringAgain(turn);
    this.settle();
  }

  // In a pause, answers are saved before the link is closed.
  #handBack() {
    if (this.resting && (!this.outbox.size || !this.connection.live)) this.connection.rest();
  }

  // The server did not resend this turn after a reconnection.
  #gone(turn) {
    const shown = this.stage.turn === turn;
    if (!this.take(turn.id)) return;
    this.settle();
    if (shown) this.tellRevoked();
  }

  // The person logged in now may not even be in this campaign.
  #refused(code, name) {
    this.refusal = code === 4403 && name && name !== this.who.name ? "stranger" : code;
    this.#other = name;
    const turn = this.stage.clear();
    if (turn) this.buffer.putFirst(turn);
    this.link.show();
    this.settle();
  }
}
