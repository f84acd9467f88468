------------------------------ MODULE Kickers ------------------------------
(***************************************************************************)
(* How kickers share the jobs of a queue: what each of them writes to SQS  *)
(* and to the table, in which order, and on which condition. README.md,    *)
(* next to this file, names the code behind each action.                   *)
(***************************************************************************)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS
  Kickers,      \* the kickers
  Messages,     \* the messages that are in the queue at first, one for each job
  Locked,       \* those of them whose jobs have a lock_id; it is the same for all
  Lives,        \* 1..N, which tells apart the runs of one message in one kicker
  Length,       \* of a lease, in ticks
  Margin,       \* ticks before the end of a lease at which its holder gives it up
  Faults,       \* how many faults happen at most
  AtMostOnce,   \* whether [sqs] delivery is at_most_once
  Sqsjkr,       \* whether a sqsjkr host shares the queue and the table
  ClocksAgree,  \* whether the wall clocks of all hosts agree
  Gathered,     \* whether writes are those that are gathered into batches
  Broken        \* the rules that are taken out, to show that each is needed

VARIABLES
  queue,    \* of each message: "visible", "hidden" or "gone"
  row,      \* the table: a row for each message (its claim), and one for the lock
  run,      \* by name: the way of a kicker with one message
  host,     \* of each kicker: "up", "cut off" from AWS, or "paused"
  late,     \* requests that their senders gave up on, and that may still arrive
  freed,    \* of each kicker: the token with which it last freed the lock, 0 for none
  old,      \* of each message: its job on a sqsjkr host, "none", "waits" or "runs"
  faults,   \* how many faults may still happen
  handed,   \* history: the fencing token that was handed out last
  begun,    \* history: the messages whose jobs have begun
  ended,    \* history: the messages whose jobs are known to have ended
  marked,   \* history: the messages whose jobs were marked as done after their end
  twice     \* history: the messages whose jobs have begun more than once

vars == <<queue, row, run, host, late, freed, old, faults, handed, begun, ended, marked, twice>>
table == <<row, late, handed, freed>>
history == <<begun, ended, marked, twice>>

Rule(name) == name \notin Broken

---------------------------------------------------------------------------
(* Names. A run is named by its kicker, its message and a number. A name   *)
(* that is used anywhere is not given to another run.                      *)

Names   == Kickers \X Messages \X Lives
Nobody  == <<>>
Foreign == <<"sqsjkr">>   \* sqsjkr hosts leave no name

KickerOf(o)  == o[1]
MessageOf(o) == o[2]
HasLock(o)   == MessageOf(o) \in Locked
Idle == [at |-> "nowhere", call |-> "none", claim |-> 0, lock |-> 0, watched |-> 0,
         heir |-> Nobody, over |-> FALSE, orphan |-> FALSE]

Up(o)         == host[KickerOf(o)] = "up" /\ ~run[o].orphan
Awake(o)      == host[KickerOf(o)] # "paused" /\ ~run[o].orphan
HasProcess(o) == run[o].at \in {"started", "running"}
IsUsed(o) == \/ run[o].at # "nowhere" \/ \E p \in Names : run[p].heir = o
             \/ \E id \in DOMAIN row : row[id].owner = o \/ \E q \in late : q.owner = o

Become(o, r) == run' = [run EXCEPT ![o] = r]
Go(o, at)    == run' = [run EXCEPT ![o].at = at]

---------------------------------------------------------------------------
(* The table. A write changes the owner or the version of a row: whoever    *)
(* watches it starts anew, and a take-over that has seen the row as it was  *)
(* before finds its condition false.                                        *)

Lock == "lock"
Free == [state |-> "free", owner |-> Nobody, token |-> 0]
Done(o) == [Free EXCEPT !.state = "done", !.owner = o]

\* The row that a run asks for.
Wanted(o) == IF run[o].at = "claim" THEN MessageOf(o) ELSE IF run[o].at = "lock" THEN Lock ELSE "none"

Unseen(r) == [r EXCEPT !.watched = 0,
                       !.call = IF @ = "take over" /\ Rule("version") THEN "ask" ELSE @]

\* Write a row, and change one run.
Write(id, new, o, r) ==
  /\ row' = [row EXCEPT ![id] = new]
  /\ run' = [p \in Names |-> IF p = o THEN r ELSE IF Wanted(p) = id THEN Unseen(run[p]) ELSE run[p]]
  /\ late' = {q \in late : ~(q.call = "take over" /\ q.row = id)}

---------------------------------------------------------------------------
(* Receive a message. While its run is alive in this kicker, a redelivery  *)
(* only brings a new receipt handle.                                       *)

HasRun(k, m) == \E n \in Lives : LET r == run[<<k, m, n>>] IN r.at # "nowhere" /\ ~r.orphan

Receive(k, m) ==
  /\ host[k] = "up" /\ queue[m] = "visible"
  /\ queue' = [queue EXCEPT ![m] = "hidden"]
  /\ IF HasRun(k, m) THEN UNCHANGED run
     ELSE LET n == CHOOSE n \in Lives : /\ ~IsUsed(<<k, m, n>>)
                                        /\ \A i \in 1..n-1 : IsUsed(<<k, m, i>>)
          IN Become(<<k, m, n>>, [Idle EXCEPT !.at = "claim", !.call = "ask"])
  /\ UNCHANGED <<table, host, old, faults, history>>

---------------------------------------------------------------------------
(* Take the claim, then the lock, both in the same way.                    *)

\* A row that is gone begins at the clock, which is ahead of all tokens if the clocks agree.
NextToken(k) ==
  IF Gathered /\ freed[k] > 0 /\ ~Rule("token seen") THEN freed[k] + 1
  ELSE IF row[Lock].token > 0 THEN row[Lock].token + 1
  ELSE IF ClocksAgree THEN handed + 1 ELSE 1

Held(o, id) == [state |-> "held", owner |-> o,
                token |-> IF id = Lock THEN NextToken(KickerOf(o)) ELSE 0]

AfterClaim(o) == IF HasLock(o) THEN "lock" ELSE IF AtMostOnce THEN "mark first" ELSE "ready"
AfterLock == IF AtMostOnce THEN "mark first" ELSE "ready"

\* What a run is once the answer is there.
Answered(o, r) ==
  LET next == IF r.at = "claim" THEN AfterClaim(o) ELSE AfterLock
  IN [r EXCEPT !.at = next, !.call = IF next = "lock" THEN "ask" ELSE "none"]

\* The table grants what the run wants. The lease counts from the moment of the request.
Grant(o, isSlow) ==
  LET id == Wanted(o)  new == Held(o, id)
      r == IF id = Lock THEN [run[o] EXCEPT !.lock = Length, !.watched = 0]
           ELSE [run[o] EXCEPT !.claim = Length, !.watched = 0,
                               !.heir = IF run[o].call = "take over" THEN row[id].owner ELSE @]
  IN /\ Write(id, new, o, IF isSlow THEN [r EXCEPT !.call = "answer"] ELSE Answered(o, r))
     /\ handed' = IF id = Lock THEN new.token ELSE handed
     /\ freed' = IF id = Lock THEN [freed EXCEPT ![KickerOf(o)] = 0] ELSE freed

IsFree(id) ==
  \/ row[id].state = "free"
  \/ row[id].state = "done" /\ ~Rule("done")
  \/ row[id].state = "held" /\ IF id = Lock THEN ~Rule("lock") ELSE ~Rule("claim")

\* A whole lease without a change, by the clock of the run that watches. The lock of the run whose
\* lapsed claim this one took over passes on at once.
HasLapsed(o, id) ==
  /\ row[id].state = "held"
  /\ row[id].owner # Foreign \/ ~Rule("no lease")
  /\ \/ run[o].watched = Length
     \/ run[o].watched = Length - 1 /\ ~Rule("whole lease")
     \/ id = Lock /\ row[id].owner = run[o].heir
  /\ IF id = Lock THEN Rule("locks lapse") ELSE Rule("claims lapse")

Ask(o) ==
  /\ Up(o) /\ run[o].call = "ask" /\ IsFree(Wanted(o)) /\ Grant(o, FALSE)
  /\ UNCHANGED <<queue, host, old, faults, history>>

See(o) ==
  /\ Up(o) /\ run[o].call = "ask"
  /\ \/ row[Wanted(o)].state = "done" /\ ~IsFree(Wanted(o))    \* a duplicate
        /\ Become(o, [run[o] EXCEPT !.at = "delete", !.call = "none", !.watched = 0])
     \/ HasLapsed(o, Wanted(o)) /\ run' = [run EXCEPT ![o].call = "take over"]
  /\ UNCHANGED <<queue, table, host, old, faults, history>>

\* On the condition that owner and version are those that were seen.
TakeOver(o) ==
  /\ Up(o) /\ run[o].call = "take over" /\ Grant(o, FALSE)
  /\ UNCHANGED <<queue, host, old, faults, history>>

\* The answer to a granted request is there after a while; see SlowAnswer.
Answer(o) ==
  /\ Up(o) /\ run[o].call = "answer"
  /\ LET anew(left) == IF Rule("since asked") THEN left ELSE Length
     IN Become(o, Answered(o, IF run[o].at = "lock" THEN [run[o] EXCEPT !.lock = anew(@)]
                              ELSE [run[o] EXCEPT !.claim = anew(@)]))
  /\ UNCHANGED <<queue, table, host, old, faults, history>>

---------------------------------------------------------------------------
(* Run the command.                                                        *)

\* A gathered mark is on the condition that the claim is still the run's own, a plain one on none.
MayMark(o) == row[MessageOf(o)].owner = o \/ ~Gathered \/ ~Rule("own mark")

\* at_most_once: mark the job as done and delete its message, then start it.
MarkFirst(o) ==
  /\ Up(o) /\ run[o].at = "mark first"
  /\ IF MayMark(o) /\ Rule("mark first")
     THEN Write(MessageOf(o), Done(o), o, [run[o] EXCEPT !.at = "delete first"])
     ELSE /\ Go(o, IF Rule("mark first") THEN "unlock" ELSE "delete first")
          /\ UNCHANGED <<row, late>>
  /\ UNCHANGED <<queue, handed, freed, host, old, faults, history>>

DeleteFirst(o) ==
  /\ Up(o) /\ run[o].at = "delete first"
  /\ queue' = [queue EXCEPT ![MessageOf(o)] = "gone"]
  /\ run' = [run EXCEPT ![o].at = "ready", ![o].over = TRUE]
  /\ UNCHANGED <<table, host, old, faults, history>>

\* The mark of at_most_once ends the renewal of the claim, but not its part in the comparison.
IsSafe(o) == run[o].claim > Margin /\ (HasLock(o) => run[o].lock > Margin)
HoldsAll(o) == (AtMostOnce \/ run[o].claim > Margin) /\ (HasLock(o) => run[o].lock > Margin)

Begin(m) ==
  /\ begun' = IF AtMostOnce THEN begun \cup {m} ELSE {}
  /\ twice' = twice \cup ({m} \cap begun)

\* Compare the leases with the clock, start the process, compare them again.
Start(o) ==
  /\ Awake(o) /\ run[o].at = "ready"
  /\ IF IsSafe(o) THEN Go(o, "running") /\ Begin(MessageOf(o))
     ELSE IF ~Rule("check") THEN Go(o, "started") /\ Begin(MessageOf(o))
     ELSE Go(o, "unlock") /\ UNCHANGED <<begun, twice>>
  /\ queue' = IF Rule("delete last") THEN queue ELSE [queue EXCEPT ![MessageOf(o)] = "gone"]
  /\ UNCHANGED <<table, host, old, faults, ended, marked>>

\* The kicker was paused between the first comparison and the start; see PauseBeforeStart.
StartLate(o) ==
  /\ Awake(o) /\ run[o].at = "checked"
  /\ run' = [run EXCEPT ![o].at = "started", ![o].call = "late"]
  /\ Begin(MessageOf(o))
  /\ UNCHANGED <<queue, table, host, old, faults, ended, marked>>

CheckAgain(o) ==
  /\ Awake(o) /\ run[o].at = "started"
  /\ run' = [run EXCEPT ![o].at = IF IsSafe(o) \/ ~Rule("check again") THEN "running" ELSE "unlock",
                        ![o].call = "none"]
  /\ UNCHANGED <<queue, table, host, old, faults, history>>

\* The command ends by itself, if need be while its kicker stands still.
End(o) ==
  /\ run[o].at = "running" /\ ~run[o].orphan
  /\ run' = [run EXCEPT ![o].at = "unlock", ![o].over = TRUE]
  /\ ended' = ended \cup {MessageOf(o)}
  /\ UNCHANGED <<queue, table, host, old, faults, begun, marked, twice>>

\* A renewal is refused, or a lease comes within its margin: the kicker kills the job.
GiveUp(o) ==
  /\ Awake(o) /\ run[o].at = "running"
  /\ \/ Rule("margin") /\ ~HoldsAll(o)
     \/ ~AtMostOnce /\ (run[o].claim = 0 \/ (Up(o) /\ row[MessageOf(o)].owner # o))
     \/ HasLock(o) /\ (run[o].lock = 0 \/ (Up(o) /\ row[Lock].owner # o))
  /\ Go(o, "unlock")
  /\ UNCHANGED <<queue, table, host, old, faults, history>>

\* The watcher kills the jobs of a kicker that is dead or paused.
Watch(o) ==
  /\ HasProcess(o) /\ ~Awake(o) /\ Rule("watcher")
  /\ Become(o, IF run[o].orphan THEN Idle ELSE [run[o] EXCEPT !.at = "unlock", !.call = "none"])
  /\ UNCHANGED <<queue, table, host, old, faults, history>>

---------------------------------------------------------------------------
(* Unlock, then settle the message.                                        *)

AfterUnlock(o) ==
  LET r == [run[o] EXCEPT !.lock = 0] IN
  IF ~r.over THEN [r EXCEPT !.at = "give back"]
  ELSE IF AtMostOnce THEN Idle ELSE [r EXCEPT !.at = "mark"]

Unlock(o) ==
  LET kept == [Free EXCEPT !.token = IF Rule("keep token") THEN row[Lock].token ELSE 0] IN
  /\ Up(o) /\ \/ run[o].at = "unlock"
              \/ run[o].at = "running" /\ HasLock(o) /\ row[Lock].owner = o /\ ~Rule("unlock last")
  /\ IF HasLock(o) /\ (row[Lock].owner = o \/ (~Rule("own lock") /\ row[Lock].state = "held"))
     THEN /\ Write(Lock, kept, o, IF run[o].at = "running" THEN run[o] ELSE AfterUnlock(o))
          /\ freed' = IF Gathered THEN [freed EXCEPT ![KickerOf(o)] = row[Lock].token] ELSE freed
     ELSE Become(o, AfterUnlock(o)) /\ UNCHANGED <<row, late, freed>>
  /\ UNCHANGED <<queue, host, old, faults, handed, history>>

Mark(o) ==
  LET m == MessageOf(o) IN
  /\ Up(o) /\ run[o].at = "mark"
  /\ IF MayMark(o)
     THEN /\ Write(m, Done(o), o, [run[o] EXCEPT !.at = "delete", !.claim = 0])
          /\ marked' = marked \cup {m}
     ELSE Become(o, Idle) /\ UNCHANGED <<row, late, marked>>    \* another host has the job now
  /\ UNCHANGED <<queue, handed, freed, host, old, faults, begun, ended, twice>>

Delete(o) ==
  /\ Up(o) /\ run[o].at = "delete"
  /\ queue' = [queue EXCEPT ![MessageOf(o)] = "gone"]
  /\ Become(o, Idle)
  /\ UNCHANGED <<table, host, old, faults, history>>

Show(m) == IF queue[m] = "hidden" THEN [queue EXCEPT ![m] = "visible"] ELSE queue

\* The job did not run to its end: release the claim, then make the message visible.
GiveBack(o) ==
  LET m == MessageOf(o) IN
  /\ Up(o) /\ run[o].at = "give back"
  /\ IF row[m].owner = o \/ (~Rule("own claim") /\ row[m].state = "held")
     THEN Write(m, Free, o, Idle)
     ELSE Become(o, Idle) /\ UNCHANGED <<row, late>>
  /\ queue' = Show(m)
  /\ UNCHANGED <<handed, freed, host, old, faults, history>>

---------------------------------------------------------------------------
(* Time. In each tick a kicker that is up renews its leases, and all leases *)
(* that are not renewed come closer to their end. A process is over before  *)
(* a lease of its run ends: by then GiveUp or Watch has come.               *)

IsKept(o, id) ==
  /\ Up(o) /\ run[o].at # "nowhere" /\ row[id].owner = o /\ row[id].state = "held"
  /\ IF id = Lock THEN run[o].lock > Margin ELSE run[o].claim > Margin

Left(o, id, left) == IF IsKept(o, id) THEN Length ELSE IF left > 0 THEN left - 1 ELSE 0

IsRenewed(id) == id # "none" /\ \E o \in Names : row[id].owner = o /\ IsKept(o, id)

Older(o) ==
  LET r == run[o] IN
  IF r.call \notin {"ask", "take over"} THEN r
  ELSE IF IsRenewed(Wanted(o)) THEN Unseen(r)
  ELSE IF row[Wanted(o)].state # "held" THEN r
  ELSE [r EXCEPT !.watched = IF @ < Length THEN @ + 1 ELSE @]

\* Whether somebody ends the process before its leases end.
IsBounded(o) == HasProcess(o) /\ IF Awake(o) THEN Rule("margin") ELSE Rule("watcher")

Tick ==
  /\ \A o \in Names : run[o].at # "nowhere" =>
       /\ Up(o) => run[o].call # "answer"
       /\ Awake(o) => run[o].at \notin {"checked", "started"}
       /\ IsBounded(o) => /\ AtMostOnce \/ Left(o, MessageOf(o), run[o].claim) > 0
                          /\ HasLock(o) => Left(o, Lock, run[o].lock) > 0
  /\ run' = [o \in Names |-> IF run[o].at = "nowhere" THEN Idle ELSE
       [Older(o) EXCEPT !.claim = Left(o, MessageOf(o), @), !.lock = Left(o, Lock, @)]]
  /\ late' = {q \in late : ~(q.call = "take over" /\ IsRenewed(q.row))}
  /\ UNCHANGED <<queue, row, handed, freed, host, old, faults, history>>

\* The visibility timeout of a message ends: no kicker that is up extends it.
Reappear(m) ==
  /\ queue[m] = "hidden" /\ \A o \in Names : ~(MessageOf(o) = m /\ run[o].at # "nowhere" /\ Up(o))
  /\ queue' = Show(m)
  /\ UNCHANGED <<run, table, host, old, faults, history>>

---------------------------------------------------------------------------
(* Faults.                                                                 *)

Fault == faults > 0 /\ faults' = faults - 1

\* A kicker is killed, and another starts in its place. Its processes live on until Watch.
Crash(k) ==
  /\ Fault
  /\ \E o \in Names : KickerOf(o) = k /\ run[o].at # "nowhere" /\ ~run[o].orphan
  /\ run' = [o \in Names |-> IF KickerOf(o) # k \/ run[o].orphan THEN run[o]
                             ELSE IF HasProcess(o) THEN [run[o] EXCEPT !.orphan = TRUE] ELSE Idle]
  /\ host' = [host EXCEPT ![k] = "up"]
  /\ freed' = [freed EXCEPT ![k] = 0]
  /\ UNCHANGED <<queue, row, late, handed, old, history>>

Stop(k, how) == Fault /\ host[k] = "up" /\ host' = [host EXCEPT ![k] = how]

Pause(k) == Stop(k, "paused") /\ UNCHANGED <<queue, run, table, old, history>>
CutOff(k) == Stop(k, "cut off") /\ UNCHANGED <<queue, run, table, old, history>>

PauseBeforeStart(o) ==
  /\ Stop(KickerOf(o), "paused") /\ Up(o) /\ run[o].at = "ready" /\ IsSafe(o)
  /\ Go(o, "checked")
  /\ UNCHANGED <<queue, table, old, history>>

\* A request is granted, and its answer comes only after the kicker's pause or outage.
SlowAnswer(o) ==
  /\ \E how \in {"paused", "cut off"} : Stop(KickerOf(o), how)
  /\ Up(o)
  /\ \/ run[o].call = "ask" /\ IsFree(Wanted(o))
     \/ run[o].call = "take over"
  /\ Grant(o, TRUE)
  /\ UNCHANGED <<queue, old, history>>

Recover(k) ==
  /\ host[k] # "up"
  /\ host' = [host EXCEPT ![k] = "up"]
  /\ UNCHANGED <<queue, run, table, old, faults, history>>

\* A call fails in the eyes of its sender. The request may never arrive, or at any time from now
\* on: before what its sender does about it, or long after.
Lose(o) ==
  LET r == run[o]
      call == IF r.at \in {"mark", "mark first"} THEN "mark" ELSE r.call
      id == IF call = "mark" THEN MessageOf(o) ELSE Wanted(o)
      sent == [call |-> call, row |-> id, owner |-> o]
  IN
  /\ Fault /\ Up(o)
  /\ \/ /\ r.call \in {"ask", "take over"} \/ r.at \in {"mark", "mark first"}
        /\ late' = late \cup {sent}
        /\ Become(o, [r EXCEPT !.at = CASE r.at = "claim" -> "give back"
                                        [] r.at = "mark" -> "delete"
                                        [] OTHER -> "unlock",
                               !.call = "none", !.watched = 0])
        /\ UNCHANGED queue
     \/ r.at = "unlock" /\ HasLock(o) /\ Become(o, AfterUnlock(o)) /\ UNCHANGED <<late, queue>>
     \/ r.at = "give back" /\ Become(o, Idle) /\ queue' = Show(MessageOf(o)) /\ UNCHANGED late
  /\ UNCHANGED <<row, handed, freed, host, old, history>>

Arrive(q) ==
  LET new == IF q.call = "mark" THEN Done(q.owner) ELSE Held(q.owner, q.row) IN
  /\ \/ q.call = "ask" /\ row[q.row].state = "free"
     \/ q.call = "take over"
     \/ q.call = "mark" /\ MayMark(q.owner)
  /\ row' = [row EXCEPT ![q.row] = new]
  /\ run' = [p \in Names |-> IF Wanted(p) = q.row THEN Unseen(run[p]) ELSE run[p]]
  /\ late' = {p \in late \ {q} : ~(p.call = "take over" /\ p.row = q.row)}
  /\ handed' = IF q.row = Lock THEN new.token ELSE handed
  /\ marked' = IF q.call = "mark" THEN marked \cup {q.row} ELSE marked
  /\ UNCHANGED <<queue, freed, host, old, faults, begun, ended, twice>>

\* SQS delivers at least once: it may show a message that is hidden, or even deleted.
Duplicate(m) ==
  /\ Fault /\ queue[m] # "visible"
  /\ queue' = [queue EXCEPT ![m] = "visible"]
  /\ UNCHANGED <<run, table, host, old, history>>

---------------------------------------------------------------------------
(* A sqsjkr host has no name and no lease. It deletes a message before it  *)
(* runs the job, drops what it takes for seen, and unlocks by deleting the *)
(* row without a condition.                                                *)

OldWrite(id, new) ==
  /\ row' = [row EXCEPT ![id] = new]
  /\ run' = [p \in Names |-> IF Wanted(p) = id THEN Unseen(run[p]) ELSE run[p]]
  /\ late' = {q \in late : ~(q.call = "take over" /\ q.row = id)}

OldReceive(m) ==
  /\ Sqsjkr /\ queue[m] = "visible" /\ old[m] = "none"
  /\ queue' = [queue EXCEPT ![m] = "gone"]
  /\ ended' = ended \cup {m}    \* by its own rules
  /\ IF row[m].state = "free" THEN OldWrite(m, Done(Foreign)) /\ old' = [old EXCEPT ![m] = "waits"]
     ELSE UNCHANGED <<row, run, late, old>>
  /\ UNCHANGED <<handed, freed, host, faults, begun, marked, twice>>

OldStart(m) ==
  /\ old[m] = "waits" /\ old' = [old EXCEPT ![m] = "runs"]
  /\ Begin(m)
  /\ IF m \in Locked
     THEN row[Lock].state = "free" /\ OldWrite(Lock, [row[Lock] EXCEPT !.state = "held", !.owner = Foreign])
     ELSE UNCHANGED <<row, run, late>>
  /\ UNCHANGED <<queue, handed, freed, host, faults, ended, marked>>

OldEnd(m) ==
  /\ old[m] = "runs" /\ old' = [old EXCEPT ![m] = "none"]
  /\ IF m \in Locked THEN OldWrite(Lock, Free) ELSE UNCHANGED <<row, run, late>>
  /\ UNCHANGED <<queue, handed, freed, host, faults, history>>

---------------------------------------------------------------------------
Init ==
  /\ queue = [m \in Messages |-> "visible"]
  /\ row = [id \in Messages \cup {Lock} |-> Free]
  /\ run = [o \in Names |-> Idle]
  /\ host = [k \in Kickers |-> "up"]
  /\ late = {}
  /\ freed = [k \in Kickers |-> 0]
  /\ old = [m \in Messages |-> "none"]
  /\ faults = Faults
  /\ handed = 0
  /\ begun = {} /\ ended = {} /\ marked = {} /\ twice = {}

\* What goes on by itself.
Step(o) ==
  /\ run[o].at # "nowhere"
  /\ \/ Ask(o) \/ See(o) \/ TakeOver(o) \/ Answer(o)
     \/ MarkFirst(o) \/ DeleteFirst(o) \/ Start(o) \/ StartLate(o) \/ CheckAgain(o)
     \/ End(o) \/ GiveUp(o) \/ Watch(o)
     \/ Unlock(o) \/ Mark(o) \/ Delete(o) \/ GiveBack(o)

Move ==
  \/ \E k \in Kickers, m \in Messages : Receive(k, m)
  \/ \E o \in Names : Step(o)
  \/ \E k \in Kickers : Recover(k)
  \/ \E m \in Messages : Reappear(m) \/ OldReceive(m) \/ OldStart(m) \/ OldEnd(m)
  \/ Tick

\* What may happen, or never.
Chance ==
  \/ \E k \in Kickers : Crash(k) \/ Pause(k) \/ CutOff(k)
  \/ \E o \in Names : run[o].at # "nowhere" /\ (PauseBeforeStart(o) \/ SlowAnswer(o) \/ Lose(o))
  \/ \E m \in Messages : Duplicate(m)
  \/ \E q \in late : Arrive(q)

Spec == Init /\ [][Move \/ Chance]_vars

\* Something goes on as long as anything can, and no run that can go on waits for ever.
FairSpec == Spec /\ WF_vars(Move) /\ \A o \in Names : WF_vars(Step(o))

---------------------------------------------------------------------------
(* What holds.                                                             *)

\* A process that was started by a kicker that had stood still since its check is ended by the
\* second check at once. Every other process counts.
Runs(o) == HasProcess(o) /\ run[o].call # "late"

\* Never two runs of one message at a time, on hosts of either kind.
OneRun ==
  \A o, p \in Names : Runs(o) =>
    /\ Runs(p) /\ MessageOf(o) = MessageOf(p) => o = p
    /\ old[MessageOf(o)] = "none"

\* Never two jobs under one lock_id at a time, on hosts of either kind.
OneUnderLock ==
  Cardinality({o \in Names : Runs(o) /\ HasLock(o)}) + Cardinality({m \in Locked : old[m] = "runs"}) <= 1

\* at_least_once: no message is gone before the end of its job is known.
NoneLost == AtMostOnce \/ \A m \in Messages : queue[m] = "gone" => m \in ended

\* at_most_once: no job begins twice.
NoneTwice == twice = {}

\* at_least_once, gathered: no job runs that is marked as done.
DoneIsDone == AtMostOnce \/ ~Gathered \/ \A o \in Names : Runs(o) => MessageOf(o) \notin marked

\* There is a name for each new run.
EnoughNames ==
  \A k \in Kickers, m \in Messages :
    queue[m] = "visible" /\ ~HasRun(k, m) => \E n \in Lives : ~IsUsed(<<k, m, n>>)

\* Fencing tokens only grow: whoever gets the lock gets a token above all before.
TokensGrow ==
  [][LET new == row'[Lock] IN
     new.owner \in Names /\ new.owner # row[Lock].owner => new.token > handed]_vars

\* Every message is settled in the end.
AllSettled == <>[](\A m \in Messages : queue[m] = "gone" /\ old[m] = "none")

---------------------------------------------------------------------------
(* For TLC, without a change to what it finds: names can be swapped, and   *)
(* of tokens only the distance to the last one counts.                     *)

Symmetry == Permutations(Kickers) \cup Permutations(Locked) \cup Permutations(Messages \ Locked)
Distance(token) == IF token = 0 THEN 0 ELSE handed - token + 1
View == <<queue, run, host, late, old, faults, history, handed = 0,
          [id \in DOMAIN row |-> [row[id] EXCEPT !.token = Distance(@)]],
          [k \in Kickers |-> Distance(freed[k])]>>
=============================================================================
