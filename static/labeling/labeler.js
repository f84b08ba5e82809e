// One person's labeling: what is held, shown and answered. The path of an answer is `answer`: into
// the outbox, the next image onto the stage, onto the wire, all in the task of the key press.

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
const BLIND = 3; // pictures in a row that this browser cannot decode: it is the browser

const part = (id) => document.getElementById(id);

export class Labeler {
  refusal = null; // the close code, once the server has refused; or that somebody else is logged in
  idle = null; // the reason the server gave for having nothing
  why = null; // the same as exactly as the server knows: the key of the words for it
  away = false; // all turns were revoked while nobody answered
  resting = false; // nothing is held here: the person pauses; the key of the words for it
  welcomed = false;
  answered = new Set(); // turns that are answered, so that no resent query shows them again
  undone = new Map(); // id of an undo → the item of the strip that it took back
  overtaken = new Set(); // ids of answers that were taken back and never stored
  later = new Later(() => this.#catchUp());
  #number = 0; // of images shown
  #revokedTimer = 0;
  #undecodable = 0; // in a row
  #other = null; // the name of who else is logged in
  #ahead = new Ahead();
  #learned;
  #drawn;

  // who: whose page this is, {id, name}; place: where this browser keeps what is theirs. own(choices)
  // puts the person's own keys to the classes; learned() is called when these are known or have
  // changed, counted(change) when an answer was saved or taken back, drawn() when what need not be
  // seen at once is drawn.
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

  // Takes up what an earlier page left in this browser, then connects.
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
    if (this.classes.changed) this.goOn(); // a click then says only that the new list was seen
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
    this.later.afterImage(); // also when nothing is left to show
    return true;
  }

  // Gives the image that an undo brought back its former answer, unless that is called otherwise now.
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

  // A pause, of the person's own or since nothing can be shown here: others get the images.
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

  // The button of the panel, or any key when the person was away or paused.
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

  // Brings the page in line: an image onto an empty stage, or the words for why there is none.
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

  // Takes a turn away, wherever it is; returns it, or undefined when it is not held.
  take(id) {
    return this.stage.turn?.id === id ? this.stage.clear() : this.buffer.remove(id);
  }

  // Once for a burst, and not at all when the burst took everything: the page then says more.
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

  // The person looks at a list that reads otherwise, and then goes on.
  #lookAt(reads) {
    if (!reads) this.view.notice(word("recolored"));
    const turn = reads && this.stage.clear();
    if (turn) this.buffer.putFirst(turn);
    this.settle();
  }

  flush() {
    if (this.connection.live) this.outbox.pump();
  }

  // Looks at the clock; called again and again.
  tick() {
    if (this.connection.live && this.outbox.overdue) this.connection.restart();
    else if (this.connection.live) this.delay.look();
    this.link.show();
  }

  // Nothing is shown and nothing taken back.
  get #stopped() {
    return this.refusal !== null || this.resting || this.classes.changed;
  }

  // A receipt came: what follows for it is to be fetched yet. Says so when that asks for another size.
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

  // A picture that does not show here: reported by this page, and no verdict of the person.
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

  // An image that came back to the stage and cannot be shown there: asked for like any other.
  #bringAgain(turn) {
    if (this.stage.turn !== turn) return;
    this.stage.clear();
    this.buffer.bringAgain(turn);
    this.settle();
  }

  // While the person pauses, what they answered is saved before the link is closed.
  #handBack() {
    if (this.resting && (!this.outbox.size || !this.connection.live)) this.connection.rest();
  }

  // The server did not send it again after a reconnection.
  #gone(turn) {
    const shown = this.stage.turn === turn;
    if (!this.take(turn.id)) return;
    this.settle();
    if (shown) this.tellRevoked();
  }

  // Who is logged in now may not even be in this campaign.
  #refused(code, name) {
    this.refusal = code === 4403 && name && name !== this.who.name ? "stranger" : code;
    this.#other = name;
    const turn = this.stage.clear();
    if (turn) this.buffer.putFirst(turn);
    this.link.show();
    this.settle();
  }
}
