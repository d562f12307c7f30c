//! Events of a small shop, for the demo.

use serde_json::{Value, json};
use uuid::Uuid;
use ves::{CanonicalError, Event, EventDraft, SigningKey, Stream};

use crate::clock;

/// Entity type, entity id, event type and payload of one order's way through the shop.
fn order_story() -> [(&'static str, &'static str, &'static str, Value); 5] {
    [
        (
            "order",
            "ORD-1001",
            "order.created",
            json!({ "customer": "CUS-7", "currency": "EUR", "total_cents": 4995,
                    "lines": [{ "sku": "MUG-BLUE", "quantity": 3, "price_cents": 1665 }] }),
        ),
        (
            "inventory",
            "MUG-BLUE",
            "inventory.reserved",
            json!({ "order": "ORD-1001", "quantity": 3, "left": 39, "warehouse": "BER-2" }),
        ),
        (
            "payment",
            "PAY-5510",
            "payment.captured",
            json!({ "order": "ORD-1001", "amount_cents": 4995, "currency": "EUR",
                    "method": "card" }),
        ),
        (
            "order",
            "ORD-1001",
            "order.shipped",
            json!({ "carrier": "DHL", "tracking": "JD0146000038", "parcels": 1 }),
        ),
        (
            "order",
            "ORD-1001",
            "order.delivered",
            json!({ "signed_by": "M. Weber", "on_time": true }),
        ),
    ]
}

/// Five signed events.
pub(super) fn events(
    stream: Stream,
    agent_id: Uuid,
    key: &SigningKey,
) -> Result<Vec<Event>, CanonicalError> {
    let sign = |(entity_type, entity_id, event_type, payload): (&str, &str, &str, Value)| {
        let draft = EventDraft {
            stream,
            event_id: Uuid::new_v4(),
            source_agent_id: agent_id,
            agent_key_id: 1,
            entity_type: entity_type.to_owned(),
            entity_id: entity_id.to_owned(),
            event_type: event_type.to_owned(),
            created_at: clock::now().to_string(),
            payload,
            command_id: Some(Uuid::new_v4()),
            base_version: None,
        };
        draft.sign(key)
    };
    order_story().into_iter().map(sign).collect()
}
