/** What the button says, in each language that it speaks. */

import type { DialStackError } from './errors.js';
import type { Reason } from './records.js';

export interface Texts {
  call: string;
  /** For a screen reader, which does not see beside what the button stands. */
  callNumber: (number: string) => string;
  cancel: string;
  hangUp: string;
  starting: string;
  calling: string;
  dialling: string;
  ringing: string;
  talking: string;
  ending: string;
  /** The call goes on, and nothing is heard of it. */
  offline: string;
  notEnded: string;
  ended: Record<Reason, string>;
  unknown: string;
  errors: Record<ErrorText, string>;
}

type ErrorText =
  | 'number'
  | 'notAllowed'
  | 'busy'
  | 'limit'
  | 'session'
  | 'unavailable'
  | 'uncertain'
  | 'emergency'
  | 'other';

const en: Texts = {
  call: 'Call',
  callNumber: (number) => `Call ${number}`,
  cancel: 'Cancel',
  hangUp: 'Hang up',
  starting: 'Calling…',
  calling: 'Calling your phones – pick one up',
  dialling: 'Dialling…',
  ringing: 'Ringing…',
  talking: 'Talking',
  ending: 'Ending the call…',
  offline: 'Connection lost – the call goes on',
  notEnded: 'The call could not be ended. Hang up on your phone.',
  ended: {
    normal: 'Call ended',
    user_no_answer: 'You did not pick up',
    user_rejected: 'You declined the call',
    no_device: 'No phone is connected',
    device_unreachable: 'Your phone cannot be reached',
    destination_no_answer: 'Nobody answered',
    destination_busy: 'The line is busy',
    destination_rejected: 'The call was declined',
    invalid_number: 'This number does not exist',
    no_route: 'This number cannot be reached',
    congestion: 'The network is busy. Try again later.',
    trunk_failed: 'The telephone network did not take the call',
    cancelled_by_api: 'Cancelled',
    cancelled_by_user: 'You hung up',
    max_duration: 'The longest call allowed is over',
    media_timeout: 'The connection to a phone was lost',
    switch_lost: 'The call was lost: the telephone system was interrupted',
    service_restarted: 'The call was lost: the service was restarted',
    internal_error: 'The call failed. Please tell your administrator.',
  },
  unknown: 'The call is over',
  errors: {
    number: 'This is not a number that can be called',
    notAllowed: 'Calls to this number are not allowed',
    busy: 'You are already in a call',
    limit: 'Too many calls. Try again later.',
    session: 'Your session has ended. Sign in again.',
    unavailable: 'Calls are not possible at the moment. Try again later.',
    uncertain: 'No answer from the service. If your phone does not ring, try again.',
    emergency: 'Emergency call NOT placed. Use another phone now!',
    other: 'The call could not be placed',
  },
};

const es: Texts = {
  call: 'Llamar',
  callNumber: (number) => `Llamar al ${number}`,
  cancel: 'Cancelar',
  hangUp: 'Colgar',
  starting: 'Llamando…',
  calling: 'Llamando a sus teléfonos: descuelgue uno',
  dialling: 'Marcando…',
  ringing: 'Sonando…',
  talking: 'En conversación',
  ending: 'Terminando la llamada…',
  offline: 'Sin conexión: la llamada continúa',
  notEnded: 'No se pudo terminar la llamada. Cuelgue en su teléfono.',
  ended: {
    normal: 'Llamada terminada',
    user_no_answer: 'No ha descolgado',
    user_rejected: 'Ha rechazado la llamada',
    no_device: 'No hay ningún teléfono conectado',
    device_unreachable: 'No se puede localizar su teléfono',
    destination_no_answer: 'Nadie contesta',
    destination_busy: 'La línea está ocupada',
    destination_rejected: 'La llamada fue rechazada',
    invalid_number: 'Este número no existe',
    no_route: 'No se puede llegar a este número',
    congestion: 'La red está saturada. Inténtelo más tarde.',
    trunk_failed: 'La red telefónica no aceptó la llamada',
    cancelled_by_api: 'Cancelada',
    cancelled_by_user: 'Ha colgado',
    max_duration: 'Se alcanzó la duración máxima de una llamada',
    media_timeout: 'Se perdió la conexión con un teléfono',
    switch_lost: 'Se perdió la llamada: la centralita se interrumpió',
    service_restarted: 'Se perdió la llamada: el servicio se reinició',
    internal_error: 'La llamada ha fallado. Avise a su administrador.',
  },
  unknown: 'La llamada ha terminado',
  errors: {
    number: 'No es un número al que se pueda llamar',
    notAllowed: 'No se permite llamar a este número',
    busy: 'Ya está en una llamada',
    limit: 'Demasiadas llamadas. Inténtelo más tarde.',
    session: 'Su sesión ha terminado. Vuelva a iniciarla.',
    unavailable: 'Ahora no es posible llamar. Inténtelo más tarde.',
    uncertain: 'El servicio no responde. Si su teléfono no suena, inténtelo de nuevo.',
    emergency: 'La llamada de emergencia NO se ha hecho. ¡Use otro teléfono ahora!',
    other: 'No se pudo hacer la llamada',
  },
};

const fr: Texts = {
  call: 'Appeler',
  callNumber: (number) => `Appeler le ${number}`,
  cancel: 'Annuler',
  hangUp: 'Raccrocher',
  starting: 'Appel en cours…',
  calling: 'Vos téléphones sonnent : décrochez',
  dialling: 'Numérotation…',
  ringing: 'Ça sonne…',
  talking: 'En communication',
  ending: 'Fin de l’appel…',
  offline: 'Connexion perdue : l’appel continue',
  notEnded: 'L’appel n’a pas pu être terminé. Raccrochez votre téléphone.',
  ended: {
    normal: 'Appel terminé',
    user_no_answer: 'Vous n’avez pas décroché',
    user_rejected: 'Vous avez refusé l’appel',
    no_device: 'Aucun téléphone n’est connecté',
    device_unreachable: 'Votre téléphone est injoignable',
    destination_no_answer: 'Personne ne répond',
    destination_busy: 'La ligne est occupée',
    destination_rejected: 'L’appel a été refusé',
    invalid_number: 'Ce numéro n’existe pas',
    no_route: 'Ce numéro est injoignable',
    congestion: 'Le réseau est saturé. Réessayez plus tard.',
    trunk_failed: 'Le réseau téléphonique n’a pas pris l’appel',
    cancelled_by_api: 'Annulé',
    cancelled_by_user: 'Vous avez raccroché',
    max_duration: 'La durée maximale d’un appel est atteinte',
    media_timeout: 'La connexion avec un téléphone est perdue',
    switch_lost: 'Appel perdu : le standard a été interrompu',
    service_restarted: 'Appel perdu : le service a redémarré',
    internal_error: 'L’appel a échoué. Prévenez votre administrateur.',
  },
  unknown: 'L’appel est terminé',
  errors: {
    number: 'Ce n’est pas un numéro que l’on peut appeler',
    notAllowed: 'Les appels vers ce numéro ne sont pas autorisés',
    busy: 'Vous êtes déjà en communication',
    limit: 'Trop d’appels. Réessayez plus tard.',
    session: 'Votre session est terminée. Reconnectez-vous.',
    unavailable: 'Appels impossibles pour le moment. Réessayez plus tard.',
    uncertain: 'Le service ne répond pas. Si votre téléphone ne sonne pas, réessayez.',
    emergency: 'L’appel d’urgence n’a PAS été passé. Utilisez un autre téléphone maintenant !',
    other: 'L’appel n’a pas pu être passé',
  },
};

const de: Texts = {
  call: 'Anrufen',
  callNumber: (number) => `${number} anrufen`,
  cancel: 'Abbrechen',
  hangUp: 'Auflegen',
  starting: 'Anruf beginnt…',
  calling: 'Ihre Telefone klingeln – bitte abheben',
  dialling: 'Es wird gewählt…',
  ringing: 'Es klingelt…',
  talking: 'Im Gespräch',
  ending: 'Anruf wird beendet…',
  offline: 'Verbindung verloren – der Anruf läuft weiter',
  notEnded: 'Der Anruf konnte nicht beendet werden. Bitte am Telefon auflegen.',
  ended: {
    normal: 'Gespräch beendet',
    user_no_answer: 'Sie haben nicht abgehoben',
    user_rejected: 'Sie haben den Anruf abgelehnt',
    no_device: 'Kein Telefon ist angemeldet',
    device_unreachable: 'Ihr Telefon ist nicht erreichbar',
    destination_no_answer: 'Niemand hat abgehoben',
    destination_busy: 'Die Leitung ist besetzt',
    destination_rejected: 'Der Anruf wurde abgelehnt',
    invalid_number: 'Diese Nummer gibt es nicht',
    no_route: 'Diese Nummer ist nicht erreichbar',
    congestion: 'Das Netz ist überlastet. Bitte später noch einmal versuchen.',
    trunk_failed: 'Das Telefonnetz hat den Anruf nicht angenommen',
    cancelled_by_api: 'Abgebrochen',
    cancelled_by_user: 'Sie haben aufgelegt',
    max_duration: 'Die längste erlaubte Gesprächsdauer ist erreicht',
    media_timeout: 'Die Verbindung zu einem Telefon ging verloren',
    switch_lost: 'Der Anruf ging verloren: die Telefonanlage war unterbrochen',
    service_restarted: 'Der Anruf ging verloren: der Dienst wurde neu gestartet',
    internal_error: 'Der Anruf ist fehlgeschlagen. Bitte Ihrer Administration melden.',
  },
  unknown: 'Der Anruf ist beendet',
  errors: {
    number: 'Das ist keine Nummer, die man anrufen kann',
    notAllowed: 'Anrufe zu dieser Nummer sind nicht erlaubt',
    busy: 'Sie sind schon in einem Gespräch',
    limit: 'Zu viele Anrufe. Bitte später noch einmal versuchen.',
    session: 'Ihre Sitzung ist abgelaufen. Bitte neu anmelden.',
    unavailable: 'Anrufe sind gerade nicht möglich. Bitte später noch einmal versuchen.',
    uncertain: 'Der Dienst antwortet nicht. Falls Ihr Telefon nicht klingelt, bitte noch einmal versuchen.',
    emergency: 'Der Notruf wurde NICHT gewählt. Jetzt ein anderes Telefon benutzen!',
    other: 'Der Anruf kam nicht zustande',
  },
};

const languages: Record<string, Texts> = { en, es, fr, de };

/** The texts for a tag such as `de-AT`, and in which language they are; English if it is none of ours. */
export function textsFor(tag: string): { texts: Texts; language: string } {
  const language = (tag.split('-')[0] ?? '').toLowerCase();
  const texts = languages[language];
  return texts ? { texts, language } : { texts: en, language: 'en' };
}

const ERRORS: Record<string, ErrorText> = {
  validation_error: 'number',
  destination_not_allowed: 'notAllowed',
  user_busy: 'busy',
  limit_reached: 'limit',
  unauthorized: 'session',
  session_failed: 'session',
  unavailable: 'unavailable',
  overloaded: 'unavailable',
  too_many_requests: 'unavailable',
};

/** What went wrong, for the person who clicked. */
export function errorText(texts: Texts, error: DialStackError): string {
  // The service says so of an emergency number alone, and whoever reads it has no time for anything else.
  if (error.message.startsWith('Emergency call NOT placed')) return texts.errors.emergency;
  if (error.uncertain) return texts.errors.uncertain;
  if (error.code === 'validation_error' && error.field !== 'dialString') return texts.errors.other;
  return texts.errors[ERRORS[error.code] ?? 'other'];
}
