"""Model files made by an attacker: archives that lie about themselves, and programs that do more than compute."""
