import { useState } from 'react';

const WORDS = {
  'call.ringing': 'Your phones ring – pick one up',
  'call.initiated': 'Dialling…',
  'leg.ringing': 'Ringing…',
  'call.answered': 'Talking',
};

/** A customer, and a button that rings the phones of whoever is signed in, and then the customer's. */
export function CustomerCard({ customer, dialstack, userId }) {
  const [calling, setCalling] = useState(false);
  const [told, setTold] = useState('');

  async function handleCall() {
    setCalling(true);
    setTold('Calling…');
    try {
      const { id } = await dialstack.calls.create({ userId, dialString: customer.phone });
      dialstack.calls.follow(id, ({ type, data }) => {
        if (type === 'call.end') {
          setTold(data.outcome === 'completed' ? `Talked for ${data.duration_seconds} s` : `Not reached: ${data.reason}`);
          setCalling(false);
        } else if (type in WORDS) setTold(WORDS[type]);
      });
    } catch (error) {
      setTold(error.message); // nothing is tried again: people decide
      setCalling(false);
    }
  }

  return (
    <div className="customer-card">
      <h2>{customer.name}</h2>
      <p>{customer.phone}</p>
      <button onClick={handleCall} disabled={calling}>
        {calling ? 'Calling…' : `Call ${customer.name}`}
      </button>
      <p role="status">{told}</p>
    </div>
  );
}
