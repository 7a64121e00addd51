// The clauses that this suite cannot put to a server, by the reason.
const because = (reason, ids) => ids.trim().split(/\s+/).map((id) => [id, reason]);

export const NOT_OBSERVABLE = Object.fromEntries([
  ...because('binds the client', `
    TRN-1 TRN-2 TRN-3 TRN-7 TRN-8 FRM-9 NUM-4 LIM-21 LIM-22
    HELLO-3 HELLO-4 HELLO-5 HELLO-6 HELLO-9 HELLO-10 HELLO-11 HELLO-21 WELC-1 WELC-3 WELC-4 WELC-6 WELC-8 WELC-12
    SEND-1 SEND-3 SEND-4 SEND-5 SEND-6 SEND-7 SEND-11 SEND-14 SEND-26 ACK-6 ACK-8 ACK-9 REF-9 REF-10
    CRED-11 CRED-12 CRED-14 CRED-15 CRED-17 POS-3 POS-4 POS-5 POS-7 POS-14 POS-15 POS-17
    ROOM-3 ROOM-5 ROOM-7 ROOM-8 ROOM-14 PAGE-7 PAGE-10 CAST-2 REQ-9 REQ-10 REQ-11 REQ-13 REQ-14
    LIVE-6 LIVE-7 LIVE-8 LIVE-9 LIVE-10 LIVE-12 LIVE-16 LIVE-17 AUTH-4 VIS-1 BYE-4
    AWAY-2 AWAY-3 AWAY-4 AWAY-5 AWAY-7 AWAY-8 AWAY-11 AWAY-12 LOST-4 EPOCH-2 EPOCH-4
    CODE-1002 CODE-1006 CLOSE-1 CLOSE-3 CLOSE-4 CLOSE-5 CLOSE-6 CLOSE-7 CLOSE-8 CLOSE-9 CLOSE-10
    ERR-13 ERR-14 ERR-15 ERR-17 ERR-18 ERR-22 ERR-24 ERR-26 ERR-29 KEEP-1 KEEP-2 KEEP-3 KEEP-6 STATE-1 STATE-2
    TIME-3 TIME-5 TIME-9 TIME-10 TIME-11 TIME-12 TIME-14 SEC-7 SEC-10`),
  ...because('advice to the operator', 'TRN-5 AWAY-10 SEC-11'),
  ...because('withdrawn', 'ROOM-17'),
  ...because('needs an engine that fails, stalls or answers in doubt', 'HELLO-18 SEND-21 SEND-22 ENG-5 ENG-16 ENG-18 NODE-5 NODE-7 CODE-1011'),
  ...because('needs a crash or a restart of the server', 'ENG-2 ENG-4 KEEP-4 EPOCH-3 EPOCH-5 ENG-30 CODE-4006'),
  ...because('needs several nodes of one engine', 'NODE-1 NODE-2 NODE-4 ENG-27'),
  ...because('needs more time than a suite has', 'NODE-11 TIME-18 TIME-17 CODE-4007'),
  ...because('depends on the buffers of the network between', 'NODE-14'),
  ...because('inside the server: no frame shows it', 'SEC-4 ENG-23 ENG-31 LIVE-11 TIME-19 TIME-20'),
  ...because('a server may, and need not', 'AUTH-6 CODE-1008 CODE-4501 NODE-9'),
]);
