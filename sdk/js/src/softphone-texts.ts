/** What the softphone says, in each language that it speaks. */

import type { PhoneEnd, PhoneProblem, PhoneState } from './phone.js';

export interface PhoneTexts {
  label: string;
  states: Record<Exclude<PhoneState, 'ended'>, string>;
  ended: Record<PhoneEnd, string>;
  problems: Record<PhoneProblem, string>;
  /** The call goes on, and no other would ring. */
  cutOff: string;
  answer: string;
  decline: string;
  hangUp: string;
  mute: string;
  useHere: string;
  tryAgain: string;
}

const en: PhoneTexts = {
  label: 'Phone',
  states: {
    offline: 'Not connected',
    connecting: 'Connecting…',
    replaced: 'The phone is open in another page',
    ready: 'Ready for calls',
    ringing: 'Incoming call',
    answering: 'Answering…',
    talking: 'Talking',
  },
  ended: {
    ended: 'Call ended',
    missed: 'Missed call',
    elsewhere: 'Answered on another phone',
    declined: 'Call declined',
    failed: 'The call failed',
  },
  problems: {
    access: 'This page was not let in as a phone',
    unreachable: 'The telephone system cannot be reached',
    refused: 'The telephone system does not take this phone',
    microphone: 'No microphone: allow this page to use one, and answer again',
  },
  cutOff: 'Connection lost – the call goes on',
  answer: 'Answer',
  decline: 'Decline',
  hangUp: 'Hang up',
  mute: 'Mute',
  useHere: 'Use here',
  tryAgain: 'Try again',
};

const es: PhoneTexts = {
  label: 'Teléfono',
  states: {
    offline: 'Sin conexión',
    connecting: 'Conectando…',
    replaced: 'El teléfono está abierto en otra página',
    ready: 'Listo para llamadas',
    ringing: 'Llamada entrante',
    answering: 'Contestando…',
    talking: 'En conversación',
  },
  ended: {
    ended: 'Llamada terminada',
    missed: 'Llamada perdida',
    elsewhere: 'Contestada en otro teléfono',
    declined: 'Llamada rechazada',
    failed: 'La llamada ha fallado',
  },
  problems: {
    access: 'Esta página no fue admitida como teléfono',
    unreachable: 'No se puede llegar a la centralita',
    refused: 'La centralita no acepta este teléfono',
    microphone: 'Sin micrófono: permita a esta página usar uno y conteste de nuevo',
  },
  cutOff: 'Sin conexión: la llamada continúa',
  answer: 'Contestar',
  decline: 'Rechazar',
  hangUp: 'Colgar',
  mute: 'Silenciar',
  useHere: 'Usar aquí',
  tryAgain: 'Reintentar',
};

const fr: PhoneTexts = {
  label: 'Téléphone',
  states: {
    offline: 'Non connecté',
    connecting: 'Connexion…',
    replaced: 'Le téléphone est ouvert dans une autre page',
    ready: 'Prêt à recevoir des appels',
    ringing: 'Appel entrant',
    answering: 'Réponse…',
    talking: 'En communication',
  },
  ended: {
    ended: 'Appel terminé',
    missed: 'Appel manqué',
    elsewhere: 'Pris sur un autre téléphone',
    declined: 'Appel refusé',
    failed: 'L’appel a échoué',
  },
  problems: {
    access: 'Cette page n’a pas été admise comme téléphone',
    unreachable: 'Le standard est injoignable',
    refused: 'Le standard n’accepte pas ce téléphone',
    microphone: 'Pas de microphone : autorisez cette page à en utiliser un, puis répondez de nouveau',
  },
  cutOff: 'Connexion perdue : l’appel continue',
  answer: 'Répondre',
  decline: 'Refuser',
  hangUp: 'Raccrocher',
  mute: 'Couper le micro',
  useHere: 'Utiliser ici',
  tryAgain: 'Réessayer',
};

const de: PhoneTexts = {
  label: 'Telefon',
  states: {
    offline: 'Nicht verbunden',
    connecting: 'Verbindung wird aufgebaut…',
    replaced: 'Das Telefon ist in einer anderen Seite offen',
    ready: 'Bereit für Anrufe',
    ringing: 'Eingehender Anruf',
    answering: 'Wird angenommen…',
    talking: 'Im Gespräch',
  },
  ended: {
    ended: 'Gespräch beendet',
    missed: 'Verpasster Anruf',
    elsewhere: 'An einem anderen Telefon angenommen',
    declined: 'Anruf abgelehnt',
    failed: 'Der Anruf ist fehlgeschlagen',
  },
  problems: {
    access: 'Diese Seite wurde nicht als Telefon zugelassen',
    unreachable: 'Die Telefonanlage ist nicht erreichbar',
    refused: 'Die Telefonanlage nimmt dieses Telefon nicht an',
    microphone: 'Kein Mikrofon: bitte dieser Seite eines erlauben und noch einmal annehmen',
  },
  cutOff: 'Verbindung verloren – der Anruf läuft weiter',
  answer: 'Annehmen',
  decline: 'Ablehnen',
  hangUp: 'Auflegen',
  mute: 'Stummschalten',
  useHere: 'Hier benutzen',
  tryAgain: 'Noch einmal versuchen',
};

const languages: Record<string, PhoneTexts> = { en, es, fr, de };

/** The texts for a tag such as `de-AT`, and in which language they are; English if it is none of ours. */
export function phoneTextsFor(tag: string): { texts: PhoneTexts; language: string } {
  const language = (tag.split('-')[0] ?? '').toLowerCase();
  const texts = languages[language];
  return texts ? { texts, language } : { texts: en, language: 'en' };
}
