/// What all reactors keep to.
enum ReactorBounds {
    /// Events that lead to nothing after which a checkpoint is written for nothing else: a restart handles so many again.
    static let checkpointStride: UInt64 = 10_000
    /// Of one page that is read.
    static let pageEvents = 5_000
}
