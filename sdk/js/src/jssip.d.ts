/** The part of JsSIP that `phone.ts` uses; the library itself is bundled as `dist/jssip.js`, with its licence beside it. */

export interface Request {
  hasHeader(name: string): boolean;
  getHeader(name: string): string | undefined;
}

export interface Ended {
  originator: 'local' | 'remote' | 'system';
  cause: string;
  message: Request | null;
}

interface SessionEvents {
  accepted: unknown;
  confirmed: unknown;
  ended: Ended;
  failed: Ended;
  peerconnection: { peerconnection: RTCPeerConnection };
  icecandidate: { candidate: RTCIceCandidate; ready: () => void };
}

export interface Session {
  readonly remote_identity: { display_name: string | null; uri: { user: string | null } };
  on<Name extends keyof SessionEvents>(name: Name, handler: (event: SessionEvents[Name]) => void): this;
  answer(options: { mediaStream: MediaStream; pcConfig: RTCConfiguration }): void;
  terminate(options?: { status_code?: number; reason_phrase?: string }): void;
  mute(what: { audio: boolean }): void;
  unmute(what: { audio: boolean }): void;
}

interface PhoneEvents {
  connected: unknown;
  disconnected: unknown;
  registered: unknown;
  unregistered: unknown;
  registrationFailed: { cause: string; response: { status_code: number } | null };
  newRTCSession: { originator: 'local' | 'remote'; session: Session; request: Request };
}

export interface Settings {
  sockets: WebSocketInterface[];
  uri: string;
  authorization_user: string;
  password: string;
  display_name?: string;
  register_expires?: number;
  no_answer_timeout?: number;
  connection_recovery_min_interval?: number;
  connection_recovery_max_interval?: number;
  user_agent?: string;
}

export class WebSocketInterface {
  constructor(url: string);
}

export class UA {
  constructor(settings: Settings);
  on<Name extends keyof PhoneEvents>(name: Name, handler: (event: PhoneEvents[Name]) => void): this;
  start(): void;
  stop(): void;
  register(): void;
  isRegistered(): boolean;
  isConnected(): boolean;
}
