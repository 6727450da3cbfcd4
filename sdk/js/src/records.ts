/** What the service tells, field by field as in docs/api.md. */

export type CallState =
  | 'accepted'
  | 'ringing_user'
  | 'dialling_destination'
  | 'ringing_destination'
  | 'joining'
  | 'talking'
  | 'playing_tone'
  | 'releasing'
  | 'ended';
export type CallStatus = 'completed' | 'no-answer' | 'busy' | 'failed' | 'voicemail';
export type Outcome = 'completed' | 'no_answer' | 'busy' | 'rejected' | 'failed' | 'cancelled';
export type Reason =
  | 'normal'
  | 'user_no_answer'
  | 'user_rejected'
  | 'no_device'
  | 'device_unreachable'
  | 'destination_no_answer'
  | 'destination_busy'
  | 'destination_rejected'
  | 'invalid_number'
  | 'no_route'
  | 'congestion'
  | 'trunk_failed'
  | 'cancelled_by_api'
  | 'cancelled_by_user'
  | 'max_duration'
  | 'media_timeout'
  | 'switch_lost'
  | 'service_restarted'
  | 'internal_error';
export type EndedBy = 'user' | 'destination' | 'api' | 'system';
export type LegSide = 'a' | 'b';
export type LegState = 'planned' | 'creating' | 'ready' | 'dialled' | 'ringing' | 'up' | 'ended';
export type LegOutcome =
  | 'answered'
  | 'answered_elsewhere'
  | 'rejected'
  | 'busy'
  | 'unreachable'
  | 'no_answer'
  | 'cancelled';

export interface LegQuality {
  leg: 'endpoint' | 'pstn';
  jitter_ms: number;
  packet_loss_pct: number | null;
  rtt_ms: number | null;
  mos: number | null;
}

export interface EmergencyRecord {
  test: boolean;
  callback_number: string | null;
  location: string | null;
  location_id: string | null;
  location_name: string | null;
  address: Record<string, string> | null;
  missing: string[];
}

export interface Timings {
  committed_ms: number | null;
  user_invited_ms: number | null;
  user_ringing_ms: number | null;
  user_answered_ms: number | null;
  destination_dialled_ms: number | null;
  destination_invited_ms: number | null;
  destination_ringing_ms: number | null;
  connected_ms: number | null;
  bridged_ms: number | null;
  ended_ms: number | null;
}

export interface LegRecord {
  id: string;
  side: LegSide;
  endpoint: string | null;
  endpoint_id: string | null;
  device: string | null;
  trunk: string | null;
  number: string | null;
  contact: string | null;
  user_agent: string | null;
  state: LegState;
  outcome: LegOutcome | null;
  won: boolean;
  dialled_at: string | null;
  ringing_at: string | null;
  answered_at: string | null;
  ended_at: string | null;
  ring_delay_ms: number | null;
  hangup_cause: number | null;
  sip_code: number | null;
}

/** A call of the log. While it lives, `status` and all that follows from the end is null. */
export interface CallRecord {
  id: string;
  user: string;
  user_id: string;
  endpoint: string | null;
  endpoint_id: string | null;
  /** The id of the number that was shown; with `expand: ['did']` the number itself. */
  did: string | Record<string, unknown> | null;
  did_id: string | null;
  direction: string;
  from_number: string | null;
  from_label: string | null;
  to_number: string | null;
  to_label: string | null;
  started_at: string | null;
  answered_at: string | null;
  connected_at: string | null;
  ended_at: string | null;
  ended_at_estimated: boolean;
  duration_seconds: number | null;
  status: CallStatus | null;
  hangup_cause: number | null;
  recording_url: string | null;
  quality_metrics: LegQuality[] | null;
  state: CallState;
  outcome: Outcome | null;
  reason: Reason | null;
  failed_leg: 'user' | 'destination' | null;
  ended_by: EndedBy | null;
  sip_code: number | null;
  anonymous: boolean;
  livemode: boolean;
  rule: string | null;
  emergency: EmergencyRecord | null;
  metadata: Record<string, string>;
  timings: Timings;
  legs: LegRecord[];
}

export interface EventLeg {
  id: string;
  side: LegSide;
  endpoint: string | null;
  endpoint_id: string | null;
  device: string | null;
  number: string | null;
  state: LegState;
  outcome: LegOutcome | null;
  hangup_cause: number | null;
  sip_code: number | null;
}

/** What an event tells of its call. `leg` is there in `leg.*`, `emergency` in `call.emergency`, what follows from the end in `call.end`. */
export interface EventData {
  call_id: string;
  user: string;
  user_id: string;
  endpoint: string | null;
  endpoint_id: string | null;
  direction: string;
  from_number: string | null;
  from_name: string | null;
  from_label: string | null;
  to_number: string | null;
  to_label: string | null;
  started_at: string | null;
  answered_at: string | null;
  connected_at: string | null;
  /** Counts the events of the call from 1. */
  sequence: number;
  rule?: string | null;
  ended_at?: string | null;
  ended_at_estimated?: boolean;
  duration_seconds?: number | null;
  status?: CallStatus;
  outcome?: Outcome;
  reason?: Reason;
  ended_by?: EndedBy | null;
  failed_leg?: 'user' | 'destination' | null;
  hangup_cause?: number | null;
  sip_code?: number | null;
  quality_metrics?: LegQuality[] | null;
  leg?: EventLeg;
  emergency?: EmergencyRecord | null;
}

export type CallEventType = 'call.emergency' | 'call.ringing' | 'call.initiated' | 'call.answered' | 'call.end';
export type LegEventType =
  | 'leg.created'
  | 'leg.dialled'
  | 'leg.ringing'
  | 'leg.progress'
  | 'leg.answered'
  | 'leg.bridged'
  | 'leg.ended';

/** One event of a call, the same bytes on every road. */
export interface CallEvent {
  id: string;
  type: CallEventType | LegEventType;
  account_id: string;
  created_at: string | null;
  data: EventData;
}
